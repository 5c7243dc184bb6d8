// What is behind https_client: the state of one connection, and the coroutines that work on it. They hold it
// by shared_ptr, so that destroying the client in the middle of an exchange is safe. `life_` counts connects
// and closes; a coroutine that finds it changed after a wait knows that its connection is gone.
#pragma once

#include "io/deadline.hpp"
#include "io/https_client.hpp"
#include "io/reply_parser.hpp"
#include "io/tls_context.hpp"
#include "io/tls_stream.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster {

class https_connection {
  public:
    https_connection(const boost::asio::any_io_executor& executor, std::shared_ptr<tls_context> context);
    ~https_connection();
    https_connection(const https_connection&) = delete;
    https_connection& operator=(const https_connection&) = delete;

    static boost::asio::awaitable<result<void>> connect(std::shared_ptr<https_connection> self);
    static boost::asio::awaitable<exchange_result> exchange(std::shared_ptr<https_connection> self,
                                                            const http_request& request,
                                                            std::string_view bearer);
    [[nodiscard]] bool usable();
    [[nodiscard]] bool open() const noexcept { return connected_ && !busy_; }
    void close();

  private:
    using tcp = boost::asio::ip::tcp;
    using addresses = std::vector<tcp::endpoint>;
    struct lookup;

    // https_connect.cpp: the phases of connecting, and how their failures read
    boost::asio::awaitable<result<void>> establish(unsigned life);
    boost::asio::awaitable<result<addresses>> look_up(std::string host, std::string port, std::string where);
    boost::asio::awaitable<result<void>> dial(unsigned life, std::string host, std::string port,
                                              std::string where);
    boost::asio::awaitable<result<void>> tunnel(unsigned life);
    boost::asio::awaitable<result<void>> secure(unsigned life);
    [[nodiscard]] error handshake_failure() const;
    [[nodiscard]] error failure(std::string_view what, std::string_view why) const;
    [[nodiscard]] std::string server() const;

    // https_connection.cpp: one exchange
    void make_room(std::size_t size);
    std::optional<transport_failure> write_request(const http_request& request, std::string_view bearer);
    /// Sends and reads as far as it goes without waiting. True: the reply is complete; false: step_ says why
    /// not.
    [[nodiscard]] bool advance();
    [[nodiscard]] transport_failure why_not(unsigned life) const;
    const http_reply& finish_exchange();

    void drop(bool politely);
    void interrupt();

    boost::asio::any_io_executor executor_;
    std::shared_ptr<tls_context> context_;
    tls_stream stream_;
    reply_parser parser_;
    deadline deadline_;
    deadline::clock::time_point due_;  ///< of the connect under way, over all its phases
    trust_problem trust_;
    std::weak_ptr<lookup> lookup_;
    std::string request_;            ///< reused; holds the bearer token, so it is wiped at the end
    std::size_t request_begin_ = 0;  ///< of the request in it; its line ends at line_end_
    std::size_t line_end_ = 0;
    std::size_t bearer_begin_ = 0;
    std::size_t bearer_size_ = 0;
    enum class phase { sending, receiving };
    phase phase_ = phase::sending;    ///< of the exchange under way, as the next two
    tls_step step_ = tls_step::done;  ///< the last one
    reply_parser::state parsed_ = reply_parser::state::more;
    unsigned life_ = 0;
    bool connected_ = false;
    bool busy_ = false;
};

}  // namespace muster
