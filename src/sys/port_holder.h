// port_holder.h: who keeps us from listening on a port.
//
// A listener on 0.0.0.0:5432 (Debian's own cluster with listen_addresses='*', a published container
// port) makes every 127.x.y.z:5432 unavailable, and the kernel only says "address in use".
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace tarn::sys {

class SocketAddress;

struct PortHolder {
    std::string address;  // "0.0.0.0:5432"
    int pid = 0;          // 0: a process of another user, whose descriptors cannot be seen
    std::string command;
};

// The listeners that make `address` unavailable: the same address, or all addresses.
std::vector<PortHolder> port_holders(const SocketAddress& address);

// `error`, with the holders and the way out.
Error address_in_use(Error error, const SocketAddress& address);

}  // namespace tarn::sys
