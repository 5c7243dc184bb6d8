// The BIO reads from a buffer that wait() fills and writes straight to the non-blocking socket. MSG_NOSIGNAL
// because a peer that is gone must not kill the process; OpenSSL's own socket BIO would let it.
#include "io/tls_stream.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <openssl/bio.h>
#include <openssl/err.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <sys/socket.h>
#include <utility>

namespace muster {

namespace net = boost::asio;

struct socket_bio {
    static int write(BIO* bio, const char* bytes, std::size_t size, std::size_t* written) {
        auto& stream = *static_cast<tls_stream*>(BIO_get_data(bio));
        BIO_clear_retry_flags(bio);
        ssize_t sent = 0;
        do {
            sent = ::send(stream.socket_.native_handle(), bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        } while (sent < 0 && errno == EINTR);
        if (sent < 0) {
            if (errno == EAGAIN || errno == EWOULDBLOCK)
                BIO_set_retry_write(bio);
            else
                stream.write_error_.assign(errno, boost::system::system_category());
            return 0;
        }
        stream.sent_ += static_cast<std::uint64_t>(sent);
        *written = static_cast<std::size_t>(sent);
        return 1;
    }

    static int read(BIO* bio, char* into, std::size_t size, std::size_t* got) {
        auto& stream = *static_cast<tls_stream*>(BIO_get_data(bio));
        BIO_clear_retry_flags(bio);
        if (stream.begin_ == stream.end_) {
            if (!stream.read_error_) BIO_set_retry_read(bio);
            return 0;
        }
        *got = std::min(size, stream.end_ - stream.begin_);
        std::memcpy(into, stream.input_.data() + stream.begin_, *got);
        stream.begin_ += *got;
        return 1;
    }

    static long control(BIO* bio, int command, long, void*) {
        const auto& stream = *static_cast<tls_stream*>(BIO_get_data(bio));
        if (command == BIO_CTRL_FLUSH) return 1;
        if (command == BIO_CTRL_EOF) return stream.read_error_ ? 1 : 0;
        return 0;
    }

    static int create(BIO* bio) {
        BIO_set_init(bio, 1);
        return 1;
    }

    static const BIO_METHOD* method() {
        static BIO_METHOD* const instance = [] {
            BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
            if (made == nullptr) throw std::runtime_error("OpenSSL is out of memory");
            BIO_meth_set_write_ex(made, &socket_bio::write);
            BIO_meth_set_read_ex(made, &socket_bio::read);
            BIO_meth_set_ctrl(made, &socket_bio::control);
            BIO_meth_set_create(made, &socket_bio::create);
            return made;
        }();
        return instance;
    }
};

namespace {

/// SSL_get_error() looks at the thread's error queue, so that must be empty before each step. Asking is
/// cheaper than clearing, which walks all of it.
void forget_errors() {
    if (ERR_peek_error() != 0) ERR_clear_error();
}

}  // namespace

tls_stream::tls_stream(const net::any_io_executor& executor) : socket_(executor), input_(17 * 1024) {}
tls_stream::~tls_stream() {
    close(false);
}

void tls_stream::start(ssl_ptr ssl) {
    BIO* bio = BIO_new(socket_bio::method());
    if (bio == nullptr) throw std::runtime_error("OpenSSL is out of memory");
    BIO_set_data(bio, this);
    SSL_set_bio(ssl.get(), bio, bio);
    ssl_ = std::move(ssl);
    ++life_;
    begin_ = end_ = 0;
    read_error_.clear();
    write_error_.clear();
    tls_error_ = 0;
}

tls_step tls_stream::outcome(int returned) {
    switch (SSL_get_error(ssl_.get(), returned)) {
        case SSL_ERROR_NONE: return tls_step::done;
        case SSL_ERROR_WANT_READ: return tls_step::want_read;
        case SSL_ERROR_WANT_WRITE: return tls_step::want_write;
        case SSL_ERROR_ZERO_RETURN: return tls_step::ended;
        default: break;
    }
    tls_error_ = ERR_get_error();
    ERR_clear_error();
    return tls_step::failed;
}

tls_step tls_stream::handshake() {
    forget_errors();
    return outcome(SSL_do_handshake(ssl_.get()));
}

tls_step tls_stream::write(std::string_view all) {
    forget_errors();
    std::size_t written = 0;
    return outcome(SSL_write_ex(ssl_.get(), all.data(), all.size(), &written));
}

tls_step tls_stream::read(std::span<char> into, std::size_t& got) {
    forget_errors();
    return outcome(SSL_read_ex(ssl_.get(), into.data(), into.size(), &got));
}

net::awaitable<void> tls_stream::wait(tls_step step) {
    const unsigned life = life_;
    boost::system::error_code failure;
    std::size_t got = 0;
    if (step == tls_step::want_write)
        co_await socket_.async_wait(net::socket_base::wait_write,
                                    net::redirect_error(net::use_awaitable, failure));
    else
        got = co_await socket_.async_receive(room(), net::redirect_error(net::use_awaitable, failure));
    if (life == life_) waited(step, got, failure);
}

net::mutable_buffer tls_stream::room() noexcept {
    begin_ = end_ = 0;
    return {input_.data(), input_.size()};
}

void tls_stream::waited(tls_step step, std::size_t got, const boost::system::error_code& failure) noexcept {
    if (step == tls_step::want_write) {
        if (failure) write_error_ = failure;
        return;
    }
    end_ = got;
    if (failure) read_error_ = failure;
}

bool tls_stream::quiet() {
    if (begin_ == end_ && SSL_has_pending(ssl_.get()) == 0) return true;
    // Session tickets and key updates may come at any time; reading takes them in and stops before data.
    char first = 0;
    std::size_t got = 0;
    forget_errors();
    const tls_step step = outcome(SSL_peek_ex(ssl_.get(), &first, 1, &got));
    return step == tls_step::want_read && SSL_has_pending(ssl_.get()) == 0;
}

bool tls_stream::idle() {
    char first = 0;
    const int fd = socket_.native_handle();
    const ssize_t waiting = ::recv(fd, &first, 1, MSG_PEEK | MSG_DONTWAIT);
    if (waiting == 0) return false;
    if (waiting < 0) return (errno == EAGAIN || errno == EWOULDBLOCK) && quiet();
    if (begin_ != end_) return false;
    const ssize_t got = ::recv(fd, input_.data(), input_.size(), MSG_DONTWAIT);
    if (got <= 0) return false;
    begin_ = 0;
    end_ = static_cast<std::size_t>(got);
    return quiet();
}

void tls_stream::close(bool politely) {
    ++life_;
    if (ssl_) {
        if (politely && SSL_is_init_finished(ssl_.get()) == 1) {
            ERR_clear_error();
            SSL_shutdown(ssl_.get());
            ERR_clear_error();
        } else {
            // Without this OpenSSL holds the session to be bad, and the next connection could not resume it.
            SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        }
        ssl_.reset();
    }
    boost::system::error_code ignored;
    socket_.close(ignored);
}

std::string tls_stream::problem() const {
    if (write_error_) return words(write_error_);
    if (read_error_) return words(read_error_);
    if (const char* reason = ERR_reason_error_string(tls_error_)) return reason;
    return "TLS failed";
}

std::string words(const boost::system::error_code& code) {
    if (code == net::error::eof) return "the connection was closed by the other side";
    std::string text = code.message();
    if (text.size() > 1 && text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a' && text[1] <= 'z')
        text[0] = static_cast<char>(text[0] - 'A' + 'a');
    return text;
}

}  // namespace muster
