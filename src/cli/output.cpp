#include "cli/output.h"

#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <arrow/buffer.h>
#include <arrow/builder.h>
#include <arrow/memory_pool.h>
#include <arrow/table.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/table_cells.h"
#include "cli/table_text.h"
#include "storage/arrow_status_internal.h"
#include "storage/parquet_write.h"

namespace tapeworks {
namespace {

std::optional<OutputFormat> g_format;

bool stdout_is_terminal() { return isatty(STDOUT_FILENO) != 0; }

/// The width of the terminal; 0 when there is none to ask.
size_t terminal_width() {
  if (!stdout_is_terminal()) return 0;
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

bool colour_wanted() {
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  return stdout_is_terminal() && (no_color == nullptr || *no_color == '\0') &&
         (terminal == nullptr || std::strcmp(terminal, "dumb") != 0);
}

/// A JSON string; bytes that are no UTF-8 become U+FFFD, because JSON cannot carry them.
std::string json_text(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string json_value(const Cell& cell) {
  struct Visitor {
    std::string operator()(std::monostate) const { return "null"; }
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(int64_t value) const { return fmt::format("{}", value); }
    std::string operator()(uint64_t value) const { return fmt::format("{}", value); }
    std::string operator()(float value) const {
      return std::isfinite(value) ? shortest_text(value) : "null";
    }
    std::string operator()(double value) const {
      return std::isfinite(value) ? shortest_text(value) : "null";
    }
    std::string operator()(std::string_view text) const { return json_text(text); }
    std::string operator()(Day day) const { return json_text(to_string(day)); }
  };
  return std::visit(Visitor{}, cell);
}

/// Quoted where RFC 4180 asks for it. The empty text is quoted too, to tell it from null.
std::string csv_text(std::string_view text) {
  if (!text.empty() && text.find_first_of(",\"\r\n") == std::string_view::npos) {
    return std::string(text);
  }
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

std::string csv_value(const Cell& cell) {
  struct Visitor {
    std::string operator()(std::monostate) const { return ""; }
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(int64_t value) const { return fmt::format("{}", value); }
    std::string operator()(uint64_t value) const { return fmt::format("{}", value); }
    std::string operator()(float value) const { return shortest_text(value); }
    std::string operator()(double value) const { return shortest_text(value); }
    std::string operator()(std::string_view text) const { return csv_text(text); }
    std::string operator()(Day day) const { return to_string(day); }
  };
  return std::visit(Visitor{}, cell);
}

std::string render_csv(const std::vector<CellColumn>& columns, size_t row_count) {
  std::string out;
  const auto end_of_field = [&](size_t c) { out += c + 1 == columns.size() ? '\n' : ','; };
  for (size_t c = 0; c < columns.size(); ++c) {
    out += csv_text(columns[c].name);
    end_of_field(c);
  }
  for (size_t row = 0; row < row_count; ++row) {
    for (size_t c = 0; c < columns.size(); ++c) {
      out += csv_value(columns[c].cells[row]);
      end_of_field(c);
    }
  }
  return out;
}

std::string json_object(const std::vector<CellColumn>& columns,
                        const std::vector<std::string>& quoted_names, size_t row) {
  std::string out = "{";
  for (size_t c = 0; c < columns.size(); ++c) {
    if (c != 0) out += ',';
    out += quoted_names[c];
    out += ':';
    out += json_value(columns[c].cells[row]);
  }
  return out + '}';
}

std::string render_json(const std::vector<CellColumn>& columns, size_t row_count, bool as_array) {
  std::vector<std::string> quoted_names;
  for (const CellColumn& column : columns) quoted_names.push_back(json_text(column.name));
  std::string out;
  for (size_t row = 0; row < row_count; ++row) {
    if (as_array) out += row == 0 ? "[" : ",\n ";
    out += json_object(columns, quoted_names, row);
    if (!as_array) out += '\n';
  }
  if (as_array) out += row_count == 0 ? "[]\n" : "]\n";
  return out;
}

std::string with_footnotes(std::string text, const TableNotes& notes) {
  if (!notes.footnotes.empty()) text += '\n';
  for (const std::string& line : notes.footnotes) text += line + '\n';
  return text;
}

/// The type of a field over all records: an integer column with one float is a float column.
std::shared_ptr<arrow::DataType> record_type(const std::vector<nlohmann::ordered_json>& records,
                                             const std::string& name) {
  std::shared_ptr<arrow::DataType> type;
  for (const auto& record : records) {
    const auto value = record.find(name);
    if (value == record.end() || value->is_null()) continue;
    if (value->is_number_float()) return arrow::float64();
    if (!type) {
      type = value->is_boolean()  ? arrow::boolean()
             : value->is_number() ? arrow::int64()
                                  : arrow::utf8();
    }
  }
  return type ? type : arrow::utf8();
}

arrow::Status append_value(arrow::ArrayBuilder& builder, const nlohmann::ordered_json& value) {
  if (value.is_null()) return builder.AppendNull();
  switch (builder.type()->id()) {
    case arrow::Type::BOOL:
      return static_cast<arrow::BooleanBuilder&>(builder).Append(value.get<bool>());
    case arrow::Type::INT64:
      return static_cast<arrow::Int64Builder&>(builder).Append(value.get<int64_t>());
    case arrow::Type::DOUBLE:
      return static_cast<arrow::DoubleBuilder&>(builder).Append(value.get<double>());
    default:
      return static_cast<arrow::StringBuilder&>(builder).Append(
          value.is_string() ? value.get<std::string>() : value.dump());
  }
}

}  // namespace

std::optional<OutputFormat> parse_output_format(std::string_view text) {
  if (text == "table") return OutputFormat::kTable;
  if (text == "json") return OutputFormat::kJson;
  if (text == "jsonl") return OutputFormat::kJsonl;
  if (text == "csv") return OutputFormat::kCsv;
  if (text == "parquet") return OutputFormat::kParquet;
  return std::nullopt;
}

void set_output_format(OutputFormat format) { g_format = format; }

OutputFormat output_format() {
  if (g_format) return *g_format;
  return stdout_is_terminal() ? OutputFormat::kTable : OutputFormat::kJsonl;
}

Result<std::string> render_table(const arrow::Table& table, OutputFormat format,
                                 const TableNotes& notes, size_t line_width_max, bool bold_header) {
  if (format == OutputFormat::kParquet) {
    TW_ASSIGN(const auto bytes, encode_parquet(table, {}, arrow::default_memory_pool()));
    return bytes->ToString();
  }
  TW_ASSIGN(const auto columns, cells_of(table));
  const auto row_count = static_cast<size_t>(table.num_rows());
  switch (format) {
    case OutputFormat::kCsv:
      return render_csv(columns, row_count);
    case OutputFormat::kJson:
      return render_json(columns, row_count, true);
    case OutputFormat::kJsonl:
      return render_json(columns, row_count, false);
    default:
      return with_footnotes(notes.single_thing ? text_record(columns)
                                               : text_table(columns, {line_width_max, bold_header}),
                            notes);
  }
}

Result<std::shared_ptr<arrow::Table>> table_of_records(
    const std::vector<nlohmann::ordered_json>& records) {
  static constexpr std::string_view kWhere = "building the result";
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  if (!records.empty()) {
    for (const auto& [name, unused] : records[0].items()) {
      const auto type = record_type(records, name);
      TW_ASSIGN(const auto builder, from_arrow(arrow::MakeBuilder(type), kWhere));
      for (const auto& record : records) {
        const auto value = record.find(name);
        const bool missing = value == record.end();
        TW_TRY(
            from_arrow(missing ? builder->AppendNull() : append_value(*builder, *value), kWhere));
      }
      TW_ASSIGN(arrays.emplace_back(), from_arrow(builder->Finish(), kWhere));
      fields.push_back(arrow::field(name, type));
    }
  }
  return arrow::Table::Make(arrow::schema(std::move(fields)), std::move(arrays),
                            static_cast<int64_t>(records.size()));
}

Status print_table(const arrow::Table& table, const TableNotes& notes) {
  const OutputFormat format = output_format();
  if (format == OutputFormat::kParquet && stdout_is_terminal()) {
    return invalid_argument("Parquet is not for a terminal; send it into a file or a pipe");
  }
  TW_ASSIGN(const std::string text,
            render_table(table, format, notes, terminal_width(), colour_wanted()));
  return print_text(text);
}

Status print_records(const std::vector<nlohmann::ordered_json>& records, const TableNotes& notes) {
  TW_ASSIGN(const auto table, table_of_records(records));
  TableNotes notes_of_records = notes;
  notes_of_records.single_thing = notes.single_thing || records.size() == 1;
  return print_table(*table, notes_of_records);
}

Status print_text(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(STDOUT_FILENO, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<size_t>(written));
    } else if (errno == EPIPE) {
      return {};
    } else if (errno != EINTR) {
      return io_error("writing the result to standard output failed: {}", std::strerror(errno));
    }
  }
  return {};
}

}  // namespace tapeworks
