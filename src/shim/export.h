// export.h: marks the libc names that the shim takes over.
#pragma once

#define TARN_EXPORT extern "C" __attribute__((visibility("default")))

namespace tarn::shim {

// An answer of ours in libc's form.
template <class T>
T answer(T result, int* error_number) {
    if (result >= 0) return result;
    *error_number = static_cast<int>(-result);
    return -1;
}

}  // namespace tarn::shim
