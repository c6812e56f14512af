// backup.h: `tarn backup`: to a directory or a bucket and back, beside a server or without one.
#pragma once

#include <CLI/CLI.hpp>

#include <string>

#include "backup/repository.h"
#include "base/result.h"
#include "objects/place.h"

namespace tarn {

// Adds itself to the program's commands; what was said is in its fields once they are parsed.
class BackupCommand {
  public:
    explicit BackupCommand(CLI::App& app);

    bool is_chosen() const { return backup_->parsed(); }
    // The exit status: that of data_loss if something was not what was written.
    int run();

  private:
    void add_place(CLI::App& command, const char* name, const char* what);
    Result<backup::Repository> open() const;
    Result<void> take();
    Result<void> list();
    Result<int> restore();
    Result<int> check();
    Result<void> prune();

    CLI::App* backup_;
    CLI::App* list_;
    CLI::App* restore_;
    CLI::App* verify_;
    CLI::App* prune_;
    std::string config_file_;
    std::string data_directory_;
    std::string target_;
    std::string compute_user_;
    std::string id_;
    std::string key_file_;
    objects::PlaceOptions place_;
    double every_ = 0;
    double keep_days_ = 0;
    double wait_ = 300;
    bool json_ = false;
    bool progress_ = false;
};

}  // namespace tarn
