// The journal on disk: created once, locked while a run writes it, read back to the state of the run. A torn
// tail is cut off when a run goes on with it; anything else that is not as it was written is told and left
// alone.
#pragma once

#include "engine/coordinator.hpp"
#include "engine/journal/encoder.hpp"
#include "io/journal_reader.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace muster {

class journal_file final : public journal_sink {
  public:
    /// A new journal: the header is on disk, and its name is, when this returns. Fails: journal_exists,
    /// storage.
    static result<std::unique_ptr<journal_file>> create(boost::asio::any_io_executor executor,
                                                        const std::string& path, const journal_header& header,
                                                        storage& disk = system_storage());
    /// Goes on with a journal: locks it, reads it into `contents`, cuts a torn tail off; all that it read is
    /// on disk when it returns. Fails as read_journal() does, and: journal_busy, journal_damaged for damage
    /// of any kind.
    static result<std::unique_ptr<journal_file>> resume(boost::asio::any_io_executor executor,
                                                        const std::string& path, journal_contents& contents,
                                                        storage& disk = system_storage());
    ~journal_file() override;

    std::uint64_t intents(std::span<const std::uint64_t> rows) override;
    std::uint64_t withdrawn(std::span<const std::uint64_t> rows) override;
    std::uint64_t outcome(const row_outcome& o) override;
    std::uint64_t end(const end_record& r) override;
    std::uint64_t limit(const learnt_limit& l) override;
    void session(const session_record& r);

    /// Starts to write what was appended unless a write is under way; `done` is called with the position up
    /// to which all is durable. A failure is final.
    void flush(std::function<void(result<std::uint64_t>)> done);
    /// Something was appended that no write has taken along, and none is under way.
    [[nodiscard]] bool gathers() const noexcept;
    /// Nothing is under way and nothing waits to be written.
    [[nodiscard]] bool settled() const noexcept;

  private:
    struct impl;
    explicit journal_file(std::unique_ptr<impl> i);
    std::unique_ptr<impl> impl_;
};

}  // namespace muster
