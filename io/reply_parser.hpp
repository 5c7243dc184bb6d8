// Bytes to replies, without a socket: the one client file that includes Beast, whose incremental parser does
// the work. Only the headers that a decision may rest on are kept, so that a reply costs few allocations; and
// a reply that begins with the very bytes of the one before, up to its body, is not taken apart again.
// Limits: 64 KiB of headers (and of a chunk's extensions), 1 MiB of body; more is not the service talking.
#pragma once

#include "engine/http.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace muster {

class reply_parser {
  public:
    enum class state { more, complete, broken };

    reply_parser();
    ~reply_parser();
    reply_parser(const reply_parser&) = delete;
    reply_parser& operator=(const reply_parser&) = delete;

    /// Waits for a reply; one to CONNECT has no body. Of those before, only one that was short is kept.
    void start(bool to_connect = false);

    /// Room for the next bytes (at least 16 KiB), valid until the next call.
    [[nodiscard]] std::span<char> prepare();

    /// `count` bytes were put there. Replies of class 1xx are skipped (101 is not: nobody asked for it).
    state commit(std::size_t count);

    /// The peer said in an orderly way that nothing follows: this completes a body that has no other end.
    state finish();

    /// After state::complete: the reply, valid until the next start().
    [[nodiscard]] const http_reply& reply() const;

    /// After state::complete: the connection may serve another request (HTTP/1.1, no `Connection: close`, the
    /// body had an end of its own, and nothing follows the reply).
    [[nodiscard]] bool keeps_alive() const;

    /// After state::complete: bytes follow the reply.
    [[nodiscard]] bool has_more() const;

    /// A part of the reply has come.
    [[nodiscard]] bool started() const;

    /// After state::broken: what is wrong, in words ("bad version").
    [[nodiscard]] const std::string& problem() const;

  private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

}  // namespace muster
