#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/latency_histogram.h"

namespace tapeworks::recorder {

enum class MetricType : uint8_t { kCounter, kGauge, kHistogram };

/// Writes metrics in the text format 0.0.4 of Prometheus. A family is begun, and its samples
/// follow. Names are the caller's: a counter's ends in _total, units are seconds and bytes.
/// Threads: one.
class MetricsText {
 public:
  static constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

  using Labels = std::vector<std::pair<std::string_view, std::string_view>>;

  void family(std::string_view name, MetricType type, std::string_view help);
  /// Of the family that was begun last; kCounter or kGauge.
  void sample(uint64_t value, const Labels& labels = {});
  void sample(double value, const Labels& labels = {});
  /// Likewise; kHistogram.
  void histogram(const LatencyHistogram& histogram, const Labels& labels = {});

  const std::string& text() const { return text_; }

 private:
  void begin_sample(std::string_view suffix, const Labels& labels, std::string_view bound);

  std::string text_;
  std::string name_;
};

}  // namespace tapeworks::recorder
