#pragma once

#include <string_view>

namespace tapeworks {

/// Whether a host, as it stands in a URL, can only be this machine: localhost, an address of
/// 127.0.0.0/8 written with all four numbers, or ::1, with or without brackets. A name that merely
/// looks like one, as 127.example.org does, may be anybody's. Nothing is looked up.
bool is_loopback_host(std::string_view host);

}  // namespace tapeworks
