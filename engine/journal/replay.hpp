// From a journal's records to the state of a run: what became of each row, and what is in doubt.
// One byte a row, however many records there are.
#pragma once

#include "engine/journal/record.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace muster {

/// Where a row stands in the journal.
enum class row_state : std::uint8_t {
    untouched,  ///< never sent, or surely without effect
    intended,   ///< may have been sent; nothing is known of it
    applied,
    already,
    rejected,
    blocked,
    exhausted,
    in_doubt,  ///< was sent, and even asking did not tell
    invalid,
    lost,  ///< records about it are lost: it may have been sent, and the service is asked before it is sent
    held   ///< as lost, and it is not sent again: that could undo a later row of the same token
};
row_state state_of(outcome o) noexcept;
/// The outcome that a state amounts to: untouched is pending; intended, lost and held are in doubt.
outcome outcome_of(row_state s) noexcept;

class journal_replay {
  public:
    /// Takes the next record. False when it cannot belong to this journal (a row number beyond its rows).
    bool add(const journal_record& r);

    /// Records are missing here. What they may have changed is not known any more: only a row that is done,
    /// or has failed for good, is so for ever. All others are lost, as far as no later record tells.
    void gap() noexcept;

    [[nodiscard]] bool has_header() const noexcept { return header_.has_value(); }
    [[nodiscard]] const journal_header& header() const { return *header_; }
    /// Before another session: a row that was blocked is so only as long as what blocks it, which that
    /// session may clear up. Makes these rows untouched and gives them; they are to be withdrawn in the
    /// journal first.
    [[nodiscard]] std::vector<std::uint64_t> reopen_blocked();
    /// The settings of the session that goes on, where flags replace those of the run.
    void use_settings(run_settings s) { header_->settings = std::move(s); }
    [[nodiscard]] const std::vector<row_state>& rows() const noexcept { return rows_; }
    /// Some record shows that the row could be sent, so that all earlier rows of its token had succeeded.
    [[nodiscard]] bool started(std::uint64_t row) const { return started_[static_cast<std::size_t>(row)]; }
    /// Rows about which records were lost.
    [[nodiscard]] std::uint64_t lost() const noexcept;
    [[nodiscard]] std::uint64_t sessions() const noexcept { return sessions_; }
    /// What the run learnt of the service's limit, the latest.
    [[nodiscard]] const std::optional<learnt_limit>& limit() const noexcept { return limit_; }
    /// How the last session ended; nothing when it did not end in good order.
    [[nodiscard]] const std::optional<end_record>& last_end() const noexcept { return last_end_; }
    [[nodiscard]] outcome_counts counts() const noexcept;
    /// Every row has an outcome that no later session would look at again.
    [[nodiscard]] bool finished() const noexcept;

  private:
    bool mark(const std::vector<std::uint64_t>& rows, row_state from, row_state to);

    std::optional<journal_header> header_;
    std::vector<row_state> rows_;
    std::vector<bool> started_;
    std::uint64_t sessions_ = 0;
    std::optional<end_record> last_end_;
    std::optional<learnt_limit> limit_;
};

}  // namespace muster
