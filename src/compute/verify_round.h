// verify_round.h: verifies lineages beside everything else that a server does.
//
// The pages of a lineage are read at the round's pace while nobody is kept from trimming its
// history: what goes meanwhile is shown by no restore point any more. Then its history is held, and
// looked at as `tarn verify` does, which finds nearly all pages read already. WAL and what is new
// is read at once, and the pause for it made up for afterwards.
//
// Invariants
//   U1  what a round calls whole verify_lineage() does, and what it finds a round finds.
//       [VerifyTest.ARoundFindsWhatAVerificationFinds]
//   U2  while a round pauses nobody waits for it.
//       [VerifyTest.HistoryIsTrimmedWhileARoundPauses]
#pragma once

#include <chrono>

#include "compute/computes.h"
#include "compute/user.h"
#include "store/lineage.h"
#include "store/verify.h"

namespace tarn::compute {

class PacedRound final : public VerifyRound {
  public:
    // `store` and `user` outlive it.
    PacedRound(const store::Store& store, const ComputeUser& user, Pace pace);

    Result<std::optional<Verified>> verify(const LineageId& lineage) override;

  private:
    Result<std::optional<Verified>> read(uint64_t lineage);
    Result<void> read_pages(uint64_t lineage);
    Result<void> read_indexes(const store::RestorePointId& id);
    Result<void> go_on();
    void owe(uint64_t bytes);
    Result<void> pause();

    const store::Store& store_;
    const ComputeUser& user_;
    Pace pace_;
    store::Verifier verifier_;
    uint64_t paid_ = 0;  // of what the verifier has read
    std::chrono::steady_clock::time_point next_;
    bool may_pause_ = false;
};

}  // namespace tarn::compute
