// twophase_file.h: the state file of a prepared transaction, pg_twophase/<xid>.
//
// PostgreSQL writes it in place (twophase.c, RecreateTwoPhaseFile), so whoever reads it at the same
// time may see the beginning of it, or nothing.
#pragma once

#include <string_view>

namespace tarn::pg {

// Is it all there: magic, length and checksum?
bool is_whole_twophase_file(std::string_view contents);

}  // namespace tarn::pg
