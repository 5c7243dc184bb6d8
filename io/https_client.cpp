// The face of https_connection: keeps OpenSSL, the parser and the deadlines out of the header that the
// pipeline includes.
#include "io/https_client.hpp"

#include "io/https_connection.hpp"

#include <utility>

namespace muster {

struct https_client::impl {
    std::shared_ptr<https_connection> connection;
};

// https_context::create is the only maker of contexts, and makes tls_context.
https_client::https_client(boost::asio::any_io_executor executor, std::shared_ptr<https_context> context)
    : impl_(std::make_unique<impl>(impl{std::make_shared<https_connection>(
          executor, std::static_pointer_cast<tls_context>(std::move(context)))})) {}

https_client::~https_client() {
    close();
}

boost::asio::awaitable<result<void>> https_client::connect() {
    return https_connection::connect(impl_->connection);
}

bool https_client::usable() {
    return impl_->connection->usable();
}

bool https_client::open() const noexcept {
    return impl_->connection->open();
}

boost::asio::awaitable<exchange_result> https_client::exchange(const http_request& request,
                                                               std::string_view bearer) {
    return https_connection::exchange(impl_->connection, request, bearer);
}

void https_client::close() {
    impl_->connection->close();
}

}  // namespace muster
