// roles.h: the roles and databases of a branch, to look at.
#pragma once

#include <string>

#include "control/core.h"
#include "control/views.h"

namespace tarn::control {

class Roles {
  public:
    explicit Roles(Core& core) : core_(core) {}

    Result<RoleView> get(const std::string& project, const std::string& branch,
                         const std::string& id);
    // In order of id, beginning after `after`.
    Result<Page<RoleView>> list(const std::string& project, const std::string& branch,
                                const std::string& after, size_t limit);

  private:
    Core& core_;
};

class Databases {
  public:
    explicit Databases(Core& core) : core_(core) {}

    Result<DatabaseView> get(const std::string& project, const std::string& branch,
                             const std::string& id);
    Result<Page<DatabaseView>> list(const std::string& project, const std::string& branch,
                                    const std::string& after, size_t limit);

  private:
    Core& core_;
};

}  // namespace tarn::control
