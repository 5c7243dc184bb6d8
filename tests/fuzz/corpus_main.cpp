// Every fuzz target on every input that is kept for it: what fuzzing once found stays found. The first argument is the
// folder that holds the inputs, one folder a target; a target without inputs is a failure.
#include "tests/fuzz/target.hpp"

#include <algorithm>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

namespace fs = std::filesystem;

int main(int argc, char** argv) try {
    if (argc != 2) return 2;
    int missing = 0;
    for (const auto& target : muster::fuzz::targets()) {
        std::size_t inputs = 0;
        for (const auto& file : fs::directory_iterator(fs::path(argv[1]) / target.name)) {
            std::printf("%s\n", file.path().c_str());
            std::fflush(stdout);  // known when it ends here
            std::ifstream in(file.path(), std::ios::binary);
            const std::string text{std::istreambuf_iterator<char>(in), {}};
            // Memory of exactly this size, so that a byte read behind it is noticed.
            const auto exact = std::make_unique<char[]>(text.size());
            std::copy(text.begin(), text.end(), exact.get());
            target.run({exact.get(), text.size()});
            ++inputs;
        }
        if (inputs == 0) ++missing;
        std::printf("%s: %zu inputs\n", target.name, inputs);
    }
    return missing == 0 && !muster::fuzz::targets().empty() ? 0 : 1;
} catch (const std::exception& problem) {
    std::printf("%s\n", problem.what());
    return 1;
}
