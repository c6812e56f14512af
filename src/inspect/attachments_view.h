// attachments_view.h: what computes hang on the store's records, taken apart.
#pragma once

#include "compute/attachments.h"
#include "inspect/document.h"
#include "pg/control_file.h"

namespace tarn::inspect {

// Small files by name and size, the control file by its fields, all else as it is.
Document attachments_document(const compute::Attachments& attachments);
Document control_document(const pg::ControlFile& control);
// The same of bytes that may be anything.
Document control_document(std::string_view bytes);

}  // namespace tarn::inspect
