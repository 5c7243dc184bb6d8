#include "io/background_sha256.hpp"

#include <doctest/doctest.h>

#include <random>
#include <string>

using namespace muster;

TEST_CASE("background_sha256: in blocks of any size, asked at any time, it is the digest of what was added") {
    std::mt19937 random(1);
    for (int run = 0; run < 50; ++run) {
        background_sha256 in_blocks;
        std::string all;
        for (int block = 0; block < 12; ++block) {
            std::string text(random() % 3 == 0 ? 0 : random() % 40'000, static_cast<char>('a' + block));
            in_blocks.add(text);
            all += text;
            if (random() % 4 != 0) continue;
            background_sha256 at_once;
            at_once.add(all);
            CHECK(in_blocks.text() == at_once.text());
        }
    }
    background_sha256 known;
    for (const char* part : {"a", "b", "c"}) known.add(std::string(part));
    CHECK(known.text() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
