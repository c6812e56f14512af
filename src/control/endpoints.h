// endpoints.h: what callers may do with endpoints.
#pragma once

#include <optional>
#include <string>

#include "control/core.h"
#include "control/views.h"
#include "control/wake.h"

namespace tarn::control {

// Settings as a caller gave them; what is absent keeps its value or gets the default.
struct EndpointSettings {
    std::optional<double> min_cu;
    std::optional<double> max_cu;
    std::optional<Span> suspend;  // kNever: no suspension
    std::optional<PgSettings> pg_settings;
};

struct EndpointPatch {
    EndpointSettings settings;
    std::optional<bool> disabled;
};

struct EndpointDraft {
    std::string project;
    std::string branch;
    std::string id;
    meta::EndpointType type = meta::EndpointType::read_write;
    EndpointPatch values;
    bool replace_existing = false;
};

class Endpoints {
  public:
    Endpoints(Core& core, const Wake& wake) : core_(core), wake_(wake) {}

    Result<meta::OperationRow> create(const EndpointDraft& draft);
    Result<EndpointView> get(const std::string& project, const std::string& branch,
                             const std::string& id);
    Result<EndpointView> get_by_uid(const std::string& uid);
    // The read-write one first. Begins after the endpoint `after`, if that is not "".
    Result<Page<EndpointView>> list(const std::string& project, const std::string& branch,
                                    const std::string& after, size_t limit);
    Result<meta::OperationRow> update(const std::string& project, const std::string& branch,
                                      const std::string& id, const EndpointPatch& patch);
    Result<meta::OperationRow> remove(const std::string& project, const std::string& branch,
                                      const std::string& id);

    EndpointView view(const FoundEndpoint& found) const;

  private:
    Result<void> try_out(const std::string& project, const std::string& branch,
                         const std::string& id, const EndpointSettings& settings);
    Result<meta::OperationRow> apply(meta::Session& session, FoundEndpoint found,
                                     const EndpointPatch& patch);

    Core& core_;
    const Wake& wake_;
};

// Asks PostgreSQL whether it would start with these settings, if there are any; `base` are the
// sizes that hold where they name none. Outside of a transaction: it takes a moment.
Result<void> try_out_settings(Core& core, std::string_view field, int pg_major, Sizes base,
                              const EndpointSettings& settings);

// The row of a branch's own endpoint "primary", with an address of its own.
Result<meta::EndpointRow> draft_primary(Core& core, meta::Session& session,
                                        const meta::ProjectRow& project,
                                        const std::string& branch_uid,
                                        const EndpointSettings& settings);

}  // namespace tarn::control
