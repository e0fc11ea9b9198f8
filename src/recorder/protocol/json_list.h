#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string_view>

#include "base/result.h"

namespace tapeworks::recorder {

constexpr size_t kListEntriesMax = 50'000;
constexpr size_t kListEntryBytesMax = size_t{256} * 1024;

/// Takes a list in JSON apart, one entry at a time: the reply of a large exchange is longer than a
/// JsonDocument takes. Only brackets, strings and commas are looked at; what an entry is, `visit`
/// finds out.
///
/// `members` are the keys that lead from the reply to the list, none when the list is the whole
/// reply; `name` stands in errors: "the list of instruments". Errors: kCorrupt where there is no
/// such list, or where it ends in the middle or is longer than the limits; and those of `visit`,
/// which has seen some entries by then.
Status for_each_list_entry(std::string_view body, std::span<const std::string_view> members,
                           std::string_view name,
                           const std::function<Status(std::string_view entry)>& visit);

}  // namespace tapeworks::recorder
