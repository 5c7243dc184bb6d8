// All test programs' main(): doctest's, and MUSTER_TESTS_EXCLUDE, the name of a suite that is left out ("long": the
// longest sweeps, which take minutes under sanitizers).
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdlib>

int main(int argc, char** argv) {
    doctest::Context context(argc, argv);
    if (const char* suite = std::getenv("MUSTER_TESTS_EXCLUDE")) context.addFilter("test-suite-exclude", suite);
    return context.run();
}
