// The one step of the CSV reader that touches every byte: which of the next 64 bytes need a look. Everything
// else is skipped 64 bytes at a time, and a set bit costs a few cycles. SSE2 is what every x86-64 processor
// has; a wider set would need dispatch at run time, and the fields, not the bytes, already take most of the
// time.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace muster {

struct csv_block {
    static constexpr std::size_t bytes = 64;
    std::uint64_t marks = 0;  ///< bit n: byte n is a comma, quote, CR, LF or NUL
    bool ascii = true;        ///< no byte is 0x80 or above
};

/// Looks at 64 bytes, all of which must be readable.
inline csv_block scan_csv_block(const char* at) noexcept {
    csv_block block;
#if defined(__SSE2__)
    const __m128i comma = _mm_set1_epi8(',');
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i cr = _mm_set1_epi8('\r');
    const __m128i lf = _mm_set1_epi8('\n');
    __m128i all = _mm_setzero_si128();
    for (int part = 0; part < 4; ++part) {
        const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + 16 * part));
        const __m128i separators = _mm_or_si128(_mm_cmpeq_epi8(b, comma), _mm_cmpeq_epi8(b, quote));
        const __m128i breaks = _mm_or_si128(_mm_cmpeq_epi8(b, cr), _mm_cmpeq_epi8(b, lf));
        const __m128i nul = _mm_cmpeq_epi8(b, _mm_setzero_si128());
        const __m128i marks = _mm_or_si128(_mm_or_si128(separators, breaks), nul);
        block.marks |= static_cast<std::uint64_t>(_mm_movemask_epi8(marks)) << (16 * part);
        all = _mm_or_si128(all, b);
    }
    block.ascii = _mm_movemask_epi8(all) == 0;
#else
    unsigned all = 0;
    for (std::size_t i = 0; i < csv_block::bytes; ++i) {
        const char c = at[i];
        const bool mark = c == ',' || c == '"' || c == '\r' || c == '\n' || c == '\0';
        block.marks |= static_cast<std::uint64_t>(mark) << i;
        all |= static_cast<unsigned char>(c);
    }
    block.ascii = all < 0x80;
#endif
    return block;
}

}  // namespace muster
