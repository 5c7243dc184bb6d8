#include "engine/error.hpp"

#include <stdexcept>

namespace muster {
namespace {

class category final : public boost::system::error_category {
  public:
    const char* name() const noexcept override { return "muster"; }
    std::string message(int value) const override {
        switch (static_cast<errc>(value)) {
            case errc::usage: return "wrong usage";
            case errc::bad_job: return "bad job file";
            case errc::bad_credentials: return "bad credentials file";
            case errc::journal_exists: return "the journal exists already";
            case errc::journal_missing: return "no such journal";
            case errc::journal_busy: return "the journal is in use";
            case errc::journal_damaged: return "the journal is damaged";
            case errc::job_changed: return "the job file changed";
            case errc::not_authorised: return "not authorised";
            case errc::untrusted_server: return "untrusted server";
            case errc::unreachable: return "service unreachable";
            case errc::storage: return "storage failure";
        }
        return "unknown error";
    }
};

}  // namespace

const boost::system::error_category& muster_category() noexcept {
    static const category instance;
    return instance;
}

void throw_exception_from_error(const error& e, const boost::source_location&) {
    throw std::runtime_error(e.message);
}

}  // namespace muster
