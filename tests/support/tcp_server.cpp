// SIGPIPE is blocked in the server's threads only, so that a client that would die of it still does.
#include "tests/support/tcp_server.hpp"

#include <arpa/inet.h>
#include <array>
#include <csignal>
#include <cstdlib>
#include <netinet/in.h>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace muster::test {
namespace {

sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    return address;
}

void block_sigpipe() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

}  // namespace

tcp_server::tcp_server(std::function<void(int)> serve)
    : serve_(std::move(serve)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, generic, size) != 0 || ::listen(listener_, 256) != 0 ||
        ::getsockname(listener_, generic, &size) != 0)
        throw std::runtime_error("tcp_server: no port");
    port_ = std::to_string(ntohs(address.sin_port));
    acceptor_ = std::thread([this] { accept_all(); });
}

tcp_server::~tcp_server() {
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    ::close(listener_);
    {
        const std::lock_guard lock(mutex_);
        for (const connection& c : connections_)
            if (c.fd >= 0) ::shutdown(c.fd, SHUT_RDWR);
    }
    for (connection& c : connections_) c.thread.join();
}

void tcp_server::accept_all() {
    block_sigpipe();
    for (;;) {
        const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (fd < 0) return;
        ++accepted_;
        const std::lock_guard lock(mutex_);
        connection& added = connections_.emplace_back(connection{fd, {}});
        added.thread = std::thread([this, &added] { run(added); });
    }
}

void tcp_server::run(connection& served) {
    block_sigpipe();
    int fd = -1;
    {
        const std::lock_guard lock(mutex_);
        fd = served.fd;
    }
    serve_(fd);
    const std::lock_guard lock(mutex_);
    served.fd = -1;
    ::close(fd);
}

std::string read_request(const std::function<std::string()>& read, std::string& kept) {
    std::size_t whole = std::string::npos;
    for (;;) {
        const auto end = kept.find("\r\n\r\n");
        if (end != std::string::npos && whole == std::string::npos) {
            const auto length = kept.find("Content-Length: ");
            whole = end + 4;
            if (length < end) whole += static_cast<std::size_t>(std::atoi(kept.c_str() + length + 16));
        }
        if (kept.size() >= whole) break;
        const std::string more = read();
        if (more.empty()) return {};
        kept += more;
    }
    std::string request = kept.substr(0, whole);
    kept.erase(0, whole);
    return request;
}

bool send_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

std::string receive_some(int fd) {
    std::array<char, 16'384> buffer{};
    const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
    return got > 0 ? std::string(buffer.data(), static_cast<std::size_t>(got)) : std::string();
}

void reset_on_close(int fd) {
    const linger at_once{1, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

int connect_to(const std::string& port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(std::atoi(port.c_str()));
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
    ::close(fd);
    return -1;
}

void relay(int left, int right) {
    std::array<pollfd, 2> ends{pollfd{left, POLLIN, 0}, pollfd{right, POLLIN, 0}};
    while (::poll(ends.data(), ends.size(), -1) > 0)
        for (std::size_t i = 0; i < ends.size(); ++i)
            if (ends[i].revents != 0) {
                const std::string bytes = receive_some(ends[i].fd);
                if (bytes.empty() || !send_all(ends[1 - i].fd, bytes)) return;
            }
}

}  // namespace muster::test
