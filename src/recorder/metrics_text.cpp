#include "recorder/metrics_text.h"

#include <iterator>

#include <fmt/format.h>

namespace tapeworks::recorder {
namespace {

std::string_view name_of(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
      return "counter";
    case MetricType::kGauge:
      return "gauge";
    case MetricType::kHistogram:
      break;
  }
  return "histogram";
}

/// Quotes are escaped in values of labels only.
void append_escaped(std::string& text, std::string_view value, bool with_quotes) {
  for (const char c : value) {
    if (c == '\n') {
      text += "\\n";
      continue;
    }
    if (c == '\\' || (with_quotes && c == '"')) text += '\\';
    text += c;
  }
}

}  // namespace

void MetricsText::family(std::string_view name, MetricType type, std::string_view help) {
  name_ = name;
  text_ += fmt::format("# HELP {} ", name);
  append_escaped(text_, help, false);
  text_ += fmt::format("\n# TYPE {} {}\n", name, name_of(type));
}

void MetricsText::begin_sample(std::string_view suffix, const Labels& labels,
                               std::string_view bound) {
  text_ += name_;
  text_ += suffix;
  char separator = '{';
  const auto add = [&](std::string_view name, std::string_view value) {
    text_ += separator;
    text_ += name;
    text_ += "=\"";
    append_escaped(text_, value, true);
    text_ += '"';
    separator = ',';
  };
  for (const auto& [name, value] : labels) add(name, value);
  if (!bound.empty()) add("le", bound);
  text_ += separator == ',' ? "} " : " ";
}

void MetricsText::sample(uint64_t value, const Labels& labels) {
  begin_sample("", labels, "");
  fmt::format_to(std::back_inserter(text_), "{}\n", value);
}

void MetricsText::sample(double value, const Labels& labels) {
  begin_sample("", labels, "");
  fmt::format_to(std::back_inserter(text_), "{}\n", value);
}

void MetricsText::histogram(const LatencyHistogram& histogram, const Labels& labels) {
  uint64_t cumulative = 0;
  for (size_t i = 0; i < histogram.counts().size(); ++i) {
    cumulative += histogram.counts()[i];
    const bool is_last = i == LatencyHistogram::kBoundsNs.size();
    begin_sample(
        "_bucket", labels,
        is_last ? "+Inf"
                : fmt::format("{}", static_cast<double>(LatencyHistogram::kBoundsNs[i]) / 1e9));
    fmt::format_to(std::back_inserter(text_), "{}\n", cumulative);
  }
  begin_sample("_sum", labels, "");
  fmt::format_to(std::back_inserter(text_), "{}\n", histogram.sum_seconds());
  begin_sample("_count", labels, "");
  fmt::format_to(std::back_inserter(text_), "{}\n", histogram.count());
}

}  // namespace tapeworks::recorder
