// A server for tests: one thread accepts on a free loopback port, one thread serves each connection with
// blocking calls. Destroying it ends all of them. It is deliberately not built like the client: what they
// share they could both have wrong.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace muster::test {

class tcp_server {
  public:
    /// `serve` gets the connected socket and does not close it.
    explicit tcp_server(std::function<void(int)> serve);
    ~tcp_server();
    tcp_server(const tcp_server&) = delete;
    tcp_server& operator=(const tcp_server&) = delete;

    [[nodiscard]] std::string port() const { return port_; }
    [[nodiscard]] int accepted() const { return accepted_; }

  private:
    struct connection {
        int fd;
        std::thread thread;
    };

    void accept_all();
    void run(connection& served);

    std::function<void(int)> serve_;
    int listener_;
    std::string port_;
    std::atomic<int> accepted_{0};
    std::mutex mutex_;
    std::list<connection> connections_;  ///< guarded by mutex_
    std::thread acceptor_;
};

/// Reads one HTTP request (headers and a Content-Length body) with `read`, which returns "" at the end of the
/// stream; `kept` holds what came beyond it. Returns "" when the stream ended before.
std::string read_request(const std::function<std::string()>& read, std::string& kept);

/// Plain socket helpers, blocking; false or "" at the end.
bool send_all(int fd, std::string_view bytes);
std::string receive_some(int fd);

/// Makes the close of this socket a reset.
void reset_on_close(int fd);

/// Connects to a loopback port; -1 when refused.
int connect_to(const std::string& port);

/// Copies both ways until one side ends.
void relay(int left, int right);

}  // namespace muster::test
