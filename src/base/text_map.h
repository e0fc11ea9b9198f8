#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace tapeworks {

/// XXH3-64 of a text; names of other types than std::string need no copy to be looked up.
struct TextHash {
  using is_transparent = void;
  using is_avalanching = void;  // all its bits are good, boost need not mix them again
  size_t operator()(std::string_view text) const { return XXH3_64bits(text.data(), text.size()); }
};

/// For look-ups of names that are not in the cache: two or three lines of memory are touched, where
/// std::unordered_map goes from a bucket to a node before the one that is meant. Neither pointers
/// to values nor iterators outlive an insertion.
template <typename Value>
using TextMap = boost::unordered_flat_map<std::string, Value, TextHash, std::equal_to<>>;

}  // namespace tapeworks
