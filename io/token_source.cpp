// A token is renewed when 4/5 of its life is gone: early enough that a request which waits in a queue, and a
// server clock that is some minutes ahead, do not meet an expired one; late enough that signing costs
// nothing. A clock that went backwards makes `iat` lie in the future, which servers refuse: signed afresh as
// well.
#include "io/token_source.hpp"

#include "io/jwt.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <utility>

namespace muster {
namespace {

// The service takes no token that is to live longer than an hour.
constexpr std::chrono::seconds longest_life = std::chrono::hours(1);
constexpr std::chrono::seconds shortest_life{5};
constexpr std::chrono::seconds too_soon{2};

}  // namespace

bearer_token::bearer_token(std::string text, std::uint64_t generation)
    : text_(std::move(text)), generation_(generation) {}

bearer_token::~bearer_token() {
    OPENSSL_cleanse(text_.data(), text_.size());
}

token_source::token_source(credentials from, std::chrono::seconds lifetime)
    : credentials_(std::move(from)), lifetime_(std::clamp(lifetime, shortest_life, longest_life)) {}

result<std::shared_ptr<const bearer_token>> token_source::current(std::chrono::system_clock::time_point now) {
    if (stale_ || now < issued_ || now - issued_ >= lifetime_ * 4 / 5) {
        const result<void> signing = sign(now);
        if (!signing) return signing.error();
    }
    return token_;
}

void token_source::refused(std::uint64_t generation) {
    if (token_ && generation == token_->generation()) stale_ = true;
}

result<void> token_source::sign(std::chrono::system_clock::time_point now) {
    auto issued_at = std::chrono::floor<std::chrono::seconds>(now);
    // Signed in the same second it would be the very token that was refused.
    if (const auto last = std::chrono::floor<std::chrono::seconds>(issued_);
        issued_at >= last && issued_at - last <= too_soon)
        issued_at = last - std::chrono::seconds(1);
    const jwt_claims claims{credentials_.access_id, credentials_.api_url, issued_at, issued_at + lifetime_};
    result<std::string> text = sign_jwt(*credentials_.key, claims);
    if (!text) return text.error();
    const std::uint64_t generation = token_ ? token_->generation() + 1 : 1;
    token_ = std::make_shared<const bearer_token>(std::move(*text), generation);
    issued_ = issued_at;
    stale_ = false;
    return {};
}

}  // namespace muster
