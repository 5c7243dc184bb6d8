// What a fuzz target is: a function that takes any bytes and holds what the code under test makes of them against what
// must be so. Built by clang, each target is a libFuzzer program of its own (run.sh); built with the tests, all of them
// are in one program that takes the kept inputs (corpus_main.cpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace muster::fuzz {

/// Ends the program where what must be so is not.
inline void require(bool holds, std::string_view what) {
    if (holds) return;
    std::fprintf(stderr, "REQUIRED: %.*s\n", static_cast<int>(what.size()), what.data());
    std::abort();
}

using target_function = void (*)(std::string_view);

struct target {
    const char* name;
    target_function run;
};

/// The targets of this program.
inline std::vector<target>& targets() {
    static std::vector<target> all;
    return all;
}

struct registration {
    registration(const char* name, target_function run) { targets().push_back({name, run}); }
};

}  // namespace muster::fuzz

#if defined(MUSTER_LIBFUZZER)
#define FUZZ_TARGET(name)                                                                 \
    static void run_##name(std::string_view input);                                       \
    extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) { \
        run_##name({reinterpret_cast<const char*>(bytes), count});                        \
        return 0;                                                                         \
    }                                                                                     \
    static void run_##name(std::string_view input)
#else
#define FUZZ_TARGET(name)                                                                  \
    static void run_##name(std::string_view input);                                        \
    static const muster::fuzz::registration registration_of_##name(#name, run_##name);     \
    static void run_##name(std::string_view input)
#endif
