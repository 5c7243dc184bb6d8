// A job file on disk: its format, its identity (path, size, SHA-256), and passes over its records.
#pragma once

#include "io/file_source.hpp"
#include "io/record_reader.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace muster {

/// Exactly which bytes a job is made of.
struct job_identity {
    std::string path;  ///< absolute
    std::uint64_t size = 0;
    std::string sha256;  ///< 64 hexadecimal digits
    friend bool operator==(const job_identity&, const job_identity&) = default;
};

class job_file {
  public:
    /// Opens a regular file. Fails (bad_job): missing, a directory, unreadable, empty, a name whose format
    /// cannot be told (neither .csv nor .jsonl/.ndjson and no `format`).
    static result<job_file> open(const std::string& path, std::optional<job_format> format);

    job_file(job_file&&) noexcept;
    job_file& operator=(job_file&&) noexcept;
    ~job_file();

    [[nodiscard]] const std::string& name() const noexcept;  ///< as the user wrote it
    [[nodiscard]] std::string path() const;                  ///< absolute
    [[nodiscard]] job_format format() const noexcept;
    [[nodiscard]] std::uint64_t size() const noexcept;  ///< when it was opened

    /// A pass over the records from the start. A pass reads on its own position and outlives nothing: the
    /// job_file must stay.
    class pass {
      public:
        virtual ~pass() = default;
        [[nodiscard]] virtual record_reader& records() noexcept = 0;
        /// The bytes themselves, for who reads records() otherwise; not both.
        [[nodiscard]] virtual byte_source& bytes() noexcept = 0;
        [[nodiscard]] virtual std::uint64_t bytes_read() const noexcept = 0;
        /// The identity of the bytes read; complete only at the end of the data, and without a SHA-256 where
        /// they are not hashed.
        [[nodiscard]] virtual job_identity identity() const = 0;
    };
    [[nodiscard]] std::unique_ptr<pass> start_pass(hashing hashed) const;

    /// SHA-256 of the whole content, 64 hexadecimal digits. Fails (bad_job) when it cannot be read.
    [[nodiscard]] result<std::string> hash() const;

  private:
    struct impl;
    explicit job_file(std::unique_ptr<impl> i);
    std::unique_ptr<impl> impl_;
};

/// Copies standard input (`fd`) into `spool` (created 0600, must not exist, synced) and says what format it
/// seems to have: a first byte of `{` behind white space is JSONL, everything else CSV.
result<job_format> spool_standard_input(int fd, const std::string& spool);

}  // namespace muster
