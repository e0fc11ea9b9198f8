#pragma once

#include <map>
#include <string>
#include <string_view>

namespace tapeworks::recorder {

/// ASCII letters in lower case, other bytes as they are: what Binance makes of a symbol in the name
/// of a stream.
std::string stream_spelling(std::string_view symbol);

/// Gives symbols back their REST spelling where a message names only its stream
/// ("btcusdt@depth5@100ms"). Made from the subscription, since only that knows how it was spelt.
///
/// Threads: any number of readers once all symbols are added.
class StreamSymbols {
 public:
  void add(std::string_view symbol) {
    rest_spelling_.insert_or_assign(stream_spelling(symbol), symbol);
  }
  void remove(std::string_view symbol) { rest_spelling_.erase(stream_spelling(symbol)); }

  /// `stream_symbol` as it was subscribed; ASCII letters in upper case where it never was.
  std::string rest_spelling(std::string_view stream_symbol) const;

 private:
  std::map<std::string, std::string, std::less<>> rest_spelling_;
};

}  // namespace tapeworks::recorder
