// layout.h: where computes keep their files below the server's data directory.
//
//   <data>/store                  the page store
//   <data>/ballast                room for deletions on a full disk (ballast.h)
//   <data>/templates/<major>      where templates are made (scratch)
//   <data>/spares                 data directories made in advance (scratch)
//   <data>/spares/settings_check  where settings are tried out (scratch)
//   <data>/endpoints/<uid>/pgdata stubs and small files
//                         /run    sockets: PostgreSQL's and the supervisor's
//                         /log    postgres.log, supervisor.log
//                         /spec.json, stubs
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "base/result.h"

namespace tarn::compute {

class Layout {
  public:
    explicit Layout(std::string data) : data_(std::move(data)) {}

    const std::string& data() const { return data_; }
    std::string store_root() const { return data_ + "/store"; }
    std::string ballast() const { return data_ + "/ballast"; }
    std::string templates() const { return data_ + "/templates"; }
    std::string spares() const { return data_ + "/spares"; }
    // Below the spares, which belong to the compute user; none of them begins with a letter.
    std::string settings_check() const { return spares() + "/settings_check"; }
    std::string endpoints() const { return data_ + "/endpoints"; }
    std::string endpoint(std::string_view uid) const {
        return endpoints() + "/" + std::string(uid);
    }
    // Sockets have at most 107 bytes of path: where the data directory's is too long, a directory
    // below /tmp that only the compute user can enter stands in.
    std::string run_directory(std::string_view uid) const;

  private:
    std::string data_;
};

constexpr std::string_view kSocketName = ".s.PGSQL.5432";
constexpr size_t kSocketPathBytes = 107;

// The supervisor's, in an endpoint's run directory.
inline std::string control_socket_in(const std::string& run_directory) {
    return run_directory + "/control.sock";
}

// An endpoint uid is a path component: lower-case letters, digits and hyphens, at most 63.
Result<void> check_endpoint_uid(std::string_view uid);
// 16 lower-case hexadecimal digits.
Result<uint64_t> parse_lineage_id(std::string_view text);
std::string lineage_text(uint64_t lineage);

// Makes the run directory with mode 0700 and refuses one that somebody else owns.
Result<void> make_run_directory(const std::string& path, uid_t owner);

}  // namespace tarn::compute
