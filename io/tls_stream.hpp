// TLS over one TCP socket, for a coroutine that drives it step by step. A step never blocks: it is done, or
// says what to wait for. OpenSSL works on the socket through a BIO of our own instead of asio::ssl::stream,
// for two reasons: it counts the bytes that the kernel took (what "the request may have arrived" rests on),
// and an exchange costs one send and one receive without the copies between two BIO pairs.
#pragma once

#include "io/tls_context.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace muster {

enum class tls_step {
    done,
    want_read,   ///< wait(), then the same step again
    want_write,  ///< wait(), then the same step again with the same arguments
    ended,       ///< the peer closed in an orderly way (close_notify)
    failed       ///< problem() says why
};

class tls_stream {
  public:
    explicit tls_stream(const boost::asio::any_io_executor& executor);
    ~tls_stream();
    tls_stream(const tls_stream&) = delete;
    tls_stream& operator=(const tls_stream&) = delete;

    /// The socket, for connecting it and for plain talk with a proxy before start().
    boost::asio::ip::tcp::socket& socket() noexcept { return socket_; }

    /// Puts TLS on the connected socket; `ssl` is set up for a client.
    void start(ssl_ptr ssl);

    tls_step handshake();
    tls_step write(std::string_view all);
    tls_step read(std::span<char> into, std::size_t& got);

    /// Waits for the socket as `step` asks. Bytes that came are kept for the next step; an error shows there.
    /// The stream must outlive the wait; close() and socket().cancel() end it early.
    boost::asio::awaitable<void> wait(tls_step step);

    /// The two halves of wait() for a caller that awaits the socket itself: where to receive, and what came.
    [[nodiscard]] boost::asio::mutable_buffer room() noexcept;
    void waited(tls_step step, std::size_t got, const boost::system::error_code& failure) noexcept;

    /// Nothing has come that nobody asked for, as far as this process knows: no call to the kernel.
    [[nodiscard]] bool quiet();

    /// quiet(), and the kernel has nothing for us either, no end and no error.
    [[nodiscard]] bool idle();

    /// Input that waits to be decrypted.
    [[nodiscard]] bool has_input() const noexcept { return begin_ != end_; }

    /// Bytes the kernel took, counted over all connections of this stream.
    [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }

    /// Says goodbye if TLS is up and `politely`, and closes.
    void close(bool politely);

    /// After tls_step::failed, lower-case words: "connection reset by peer", "tlsv1 alert protocol version".
    [[nodiscard]] std::string problem() const;

    [[nodiscard]] SSL* ssl() const noexcept { return ssl_.get(); }

  private:
    friend struct socket_bio;

    tls_step outcome(int returned);

    boost::asio::ip::tcp::socket socket_;
    ssl_ptr ssl_;
    std::vector<char> input_;  ///< encrypted bytes from begin_ to end_
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    boost::system::error_code read_error_;
    boost::system::error_code write_error_;
    unsigned long tls_error_ = 0;
    std::uint64_t sent_ = 0;
    unsigned life_ = 0;  ///< counts start() and close(): a wait that outlived its connection changes nothing
};

/// "Connection refused" as a part of a sentence.
std::string words(const boost::system::error_code& code);

}  // namespace muster
