#include "io/background_sha256.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <stdexcept>
#include <system_error>

namespace muster {
namespace {

void require(bool ok) {
    if (!ok) throw std::runtime_error("OpenSSL cannot compute SHA-256");
}

}  // namespace

void background_sha256::free_digest::operator()(EVP_MD_CTX* context) const noexcept {
    EVP_MD_CTX_free(context);
}

background_sha256::background_sha256() : digest_(EVP_MD_CTX_new()) {
    require(digest_ != nullptr && EVP_DigestInit_ex(digest_.get(), EVP_sha256(), nullptr) == 1);
}

background_sha256::~background_sha256() {
    if (!thread_.joinable()) return;
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void background_sha256::wait_until_hashed(std::unique_lock<std::mutex>& lock) const {
    changed_.wait(lock, [&] { return hashed_; });
    require(!failed_);
}

void background_sha256::add(std::span<const char> bytes) {
    if (bytes.empty()) return;
    if (!begun_) {
        begun_ = true;
        require(EVP_DigestUpdate(digest_.get(), bytes.data(), bytes.size()) == 1);
        return;
    }
    if (!thread_.joinable() && !start_thread()) {
        require(EVP_DigestUpdate(digest_.get(), bytes.data(), bytes.size()) == 1);
        return;
    }
    std::unique_lock lock(mutex_);
    wait_until_hashed(lock);
    block_.assign(bytes.begin(), bytes.end());
    hashed_ = false;
    lock.unlock();
    changed_.notify_all();
}

// Where no thread can be had, the work is done in place.
bool background_sha256::start_thread() {
    try {
        thread_ = std::thread([this] { work(); });
    } catch (const std::system_error&) {
        return false;
    }
    return true;
}

void background_sha256::work() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [&] { return !hashed_ || ending_; });
        if (ending_) return;
        lock.unlock();
        const bool ok = EVP_DigestUpdate(digest_.get(), block_.data(), block_.size()) == 1;
        lock.lock();
        failed_ = failed_ || !ok;
        hashed_ = true;
        changed_.notify_all();
    }
}

std::string background_sha256::text() const {
    std::unique_lock lock(mutex_);
    wait_until_hashed(lock);
    const std::unique_ptr<EVP_MD_CTX, free_digest> copy(EVP_MD_CTX_new());
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned length = 0;
    require(copy != nullptr && EVP_MD_CTX_copy_ex(copy.get(), digest_.get()) == 1);
    require(EVP_DigestFinal_ex(copy.get(), bytes.data(), &length) == 1);
    std::string out;
    for (unsigned i = 0; i < length; ++i) out += fmt::format("{:02x}", bytes[i]);
    return out;
}

}  // namespace muster
