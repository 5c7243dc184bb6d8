// Bearer tokens for all connections of a run: signed from the key file (RS256 JWT), renewed ahead of expiry.
// The generation says which token a request carried, so that a burst of refusals renews it once.
#pragma once

#include "engine/error.hpp"
#include "io/credentials.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace muster {

/// Wiped from memory when the last request that uses it is done.
class bearer_token {
  public:
    bearer_token(std::string text, std::uint64_t generation);
    ~bearer_token();
    bearer_token(const bearer_token&) = delete;
    bearer_token& operator=(const bearer_token&) = delete;

    [[nodiscard]] std::string_view text() const noexcept { return text_; }  ///< a secret
    [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }

  private:
    std::string text_;
    std::uint64_t generation_;  ///< counts up with every new token
};

class token_source {
  public:
    explicit token_source(credentials from, std::chrono::seconds lifetime = std::chrono::minutes(30));

    /// The token to use at `now`; signs a new one when the last has used up 4/5 of its life, or when the
    /// clock went backwards to before it was issued.
    [[nodiscard]] result<std::shared_ptr<const bearer_token>> current(
        std::chrono::system_clock::time_point now);

    /// Makes current() sign afresh if the newest token is still the one of `generation`.
    void refused(std::uint64_t generation);

  private:
    [[nodiscard]] result<void> sign(std::chrono::system_clock::time_point now);

    credentials credentials_;
    std::chrono::seconds lifetime_;
    std::shared_ptr<const bearer_token> token_;  ///< the newest; none at first
    std::chrono::system_clock::time_point issued_{};
    bool stale_ = true;
};

}  // namespace muster
