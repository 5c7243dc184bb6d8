// The tenant on the wire: accepts TLS connections, reads requests, and carries out what Service decides.
#pragma once

#include "samples/tenant/service.hpp"
#include "samples/tenant/store.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace tenant {

struct ServerOptions {
    std::string host = "127.0.0.1";  ///< an IP address
    std::uint16_t port = 8443;       ///< 0: any free one
    std::filesystem::path certificate;
    std::filesystem::path key;
    std::size_t most_connections = 4096;
    std::chrono::seconds handshake_timeout{10};
    std::chrono::seconds request_timeout{
        30};  ///< from a request's first byte to its last, and for sending a reply
    std::chrono::seconds idle_timeout{120};
    std::chrono::seconds drain_timeout{10};  ///< for what is in flight when told to end
};

/// Serves until SIGTERM or SIGINT, then finishes what is in flight. `ready` is called with the address
/// (`127.0.0.1:8443`, `[::1]:8443`) once requests are accepted. Throws std::system_error when the address
/// cannot be had, StoreError when the database fails, std::runtime_error for a bad certificate.
void serve(Service& service, Store& store, const ServerOptions& options,
           const std::function<void(const std::string&)>& ready);

}  // namespace tenant
