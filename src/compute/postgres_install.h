// postgres_install.h: finds the PostgreSQL binaries of this machine.
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "compute/user.h"

namespace tarn::compute {

inline constexpr std::array kPostgresMajors = {16, 17, 18};

struct PostgresInstall {
    int major = 0;
    std::string version;  // "17.10"
    std::string bin;      // directory of postgres and initdb
    std::string postgres() const { return bin + "/postgres"; }
    std::string initdb() const { return bin + "/initdb"; }
};

// Looks in each directory, in order; "{major}" in one stands for 16, 17, 18. A directory may be an
// installation, or hold one in `<major>`, `bin`, or as the npm package lays it out. The first one
// of a major whose `postgres --version` runs as the compute user wins.
std::map<int, PostgresInstall> find_postgres(const std::vector<std::string>& directories,
                                             const ComputeUser& user);

// What is said of a major that none was found of.
Error not_installed(int major);

// Whether one of its directories has the programs of some major, be it that they run or not.
bool holds_postgres(const std::string& directory);

}  // namespace tarn::compute
