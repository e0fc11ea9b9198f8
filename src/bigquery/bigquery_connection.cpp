#include "bigquery/bigquery_connection.h"

#include <algorithm>
#include <charconv>
#include <random>
#include <utility>

#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <nlohmann/json.hpp>

#include "base/interrupt.h"
#include "base/messages.h"
#include "base/percent_code.h"
#include "base/units.h"
#include "bigquery/result_columns.h"
#include "bigquery/service.h"
#include "bigquery/service_error.h"

namespace tapeworks::bigquery {
namespace {

/// How long the service may wait for a query before it says that it is still at work.
constexpr uint32_t kAnswerWithinMs = 10'000;
/// The least that a query is billed for.
constexpr uint64_t kBilledBytesMin = 10 * kMiB;

constexpr Refusal kTableFailure{"the table cannot be looked up", ErrorKind::kInvalidArgument};
/// The dry run found nothing wrong with the query itself.
constexpr Refusal kRunFailure{"the query failed", ErrorKind::kCorrupt};
constexpr Refusal kPageFailure{"the next page cannot be read", ErrorKind::kIo};

uint64_t number_of(const RestAnswer& answer, const char* fact) {
  const std::string_view text = answer.fact(fact);
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

/// Makes a request that is made again the same query, and not a second one.
std::string random_request_id() {
  std::random_device random;
  std::string id;
  for (int i = 0; i < 4; ++i) id += fmt::format("{:08x}", random());
  return id;
}

/// A query that was started, and where its next page is.
struct Job {
  std::string id;
  std::string location;
  std::string page_token;

  /// What the answer says of it; a later answer may leave out what an earlier one said.
  void take_from(const RestAnswer& answer) {
    const std::string_view its_id = answer.fact("jobReference/jobId");
    const std::string_view its_location = answer.fact("jobReference/location");
    if (!its_id.empty()) id = its_id;
    if (!its_location.empty()) location = its_location;
    page_token = answer.fact("pageToken");
  }

  std::string path(const std::string& project) const {
    std::string result = fmt::format(
        "projects/{}/queries/{}?maxResults={}&timeoutMs={}&formatOptions.useInt64Timestamp=true",
        percent_encoded(project), percent_encoded(id), kPageRows, kAnswerWithinMs);
    if (!location.empty()) result += "&location=" + percent_encoded(location);
    if (!page_token.empty()) result += "&pageToken=" + percent_encoded(page_token);
    return result;
  }
};

class PagedRows final : public DatabaseRows {
 public:
  PagedRows(Service& service, std::string project)
      : service_(service), project_(std::move(project)) {}

  Status start(const nlohmann::json& request) {
    TW_ASSIGN(ReadAnswer answer,
              service_.ask(fmt::format("projects/{}/queries", percent_encoded(project_)),
                           request.dump(), kRunFailure));
    TW_TRY(wait_for_end(answer));
    TW_TRY(check_outcome(answer.content));
    auto columns = columns_of(answer.content);
    if (!columns) return bad_answer(columns.error());
    schema_ = *std::move(columns);
    total_rows_ = number_of(answer.content, "totalRows");
    TW_ASSIGN(first_page_, take_rows(answer.content));
    return {};
  }

  const std::shared_ptr<arrow::Schema>& schema() const override { return schema_; }
  int64_t expected_row_count() const override { return static_cast<int64_t>(total_rows_); }

  Result<std::shared_ptr<arrow::RecordBatch>> next() override {
    if (first_page_ != nullptr) return std::exchange(first_page_, nullptr);
    if (job_.page_token.empty()) {
      if (rows_read_ == total_rows_) return nullptr;
      return io_error("{}: only {} of {} rows arrived; try again", service_.where(), rows_read_,
                      total_rows_);
    }
    TW_ASSIGN(ReadAnswer answer, service_.ask(job_.path(project_), "", kPageFailure));
    TW_TRY(wait_for_end(answer));
    return take_rows(answer.content);
  }

 private:
  /// Asks again until the query is done, however long it takes.
  Status wait_for_end(ReadAnswer& answer) {
    job_.take_from(answer.content);
    while (answer.content.fact("jobComplete") == "false") {
      TW_TRY(check_interrupt());
      if (job_.id.empty()) return bad_answer({ErrorKind::kIo, "the answer names no job"});
      TW_ASSIGN(answer, service_.ask(job_.path(project_), "", kRunFailure));
      job_.take_from(answer.content);
    }
    return {};
  }

  /// "errors" may also be warnings; without columns there is no result beside them.
  Status check_outcome(const RestAnswer& answer) const {
    const std::string_view message = answer.fact("errors/0/message");
    if (message.empty() || !answer.fact("schema/fields/0/type").empty()) return {};
    const ServiceError error{std::string(message), std::string(answer.fact("errors/0/reason"))};
    if (error.is_billing_limit()) return service_.too_expensive(message);
    return corrupt("{}: the query failed: {}", service_.where(), service_.public_text(message));
  }

  Result<std::shared_ptr<arrow::RecordBatch>> take_rows(const RestAnswer& answer) {
    rows_read_ += answer.row_count();
    return rows_of(answer, schema_, service_.where(), service_.budget().pool());
  }

  std::unexpected<Error> bad_answer(const Error& error) const {
    return fail(error.kind, "{}: {}", service_.where(), error.message);
  }

  Service& service_;
  std::string project_;
  Job job_;
  std::shared_ptr<arrow::Schema> schema_;
  std::shared_ptr<arrow::RecordBatch> first_page_;
  uint64_t total_rows_ = 0;
  uint64_t rows_read_ = 0;
};

class Connection final : public DatabaseConnection {
 public:
  Connection(Service service, Address address, std::optional<uint64_t> scanned_bytes_max)
      : service_(std::move(service)),
        address_(std::move(address)),
        scanned_bytes_max_(scanned_bytes_max) {}

  Result<std::shared_ptr<arrow::Schema>> columns_of(const std::string& table) override {
    const TableName name = TableName::parse(table);
    TW_ASSIGN(
        const ReadAnswer answer,
        service_.ask(fmt::format("projects/{}/datasets/{}/tables/{}", percent_encoded(name.project),
                                 percent_encoded(name.dataset), percent_encoded(name.table)),
                     "", kTableFailure));
    auto columns = bigquery::columns_of(answer.content);
    if (columns) return columns;
    return fail(columns.error().kind, "{}: {}", service_.where(), columns.error().message);
  }

  Result<std::unique_ptr<DatabaseRows>> query(const std::string& sql) override {
    nlohmann::json request{{"query", sql},
                           {"useLegacySql", false},
                           {"maxResults", kPageRows},
                           {"timeoutMs", kAnswerWithinMs},
                           {"formatOptions", {{"useInt64Timestamp", true}}}};
    if (!address_.location.empty()) request["location"] = address_.location;
    TW_TRY(check_cost(request));
    if (scanned_bytes_max_) {
      // Billed are whole megabytes.
      request["maximumBytesBilled"] =
          std::to_string(std::max(*scanned_bytes_max_ + kMiB, kBilledBytesMin));
    }
    request["requestId"] = random_request_id();
    auto rows = std::make_unique<PagedRows>(service_, address_.project);
    TW_TRY(rows->start(request));
    return rows;
  }

 private:
  /// Asks what the query would scan, without running it.
  Status check_cost(nlohmann::json request) {
    request["dryRun"] = true;
    TW_ASSIGN(const ReadAnswer answer,
              service_.ask(fmt::format("projects/{}/queries", percent_encoded(address_.project)),
                           request.dump()));
    if (answer.content.fact("totalBytesProcessed").empty()) {
      return io_error("{}: the dry run does not say how much the query would scan",
                      service_.where());
    }
    const uint64_t scanned_bytes = number_of(answer.content, "totalBytesProcessed");
    if (scanned_bytes_max_ && scanned_bytes > *scanned_bytes_max_) {
      return invalid_argument(
          "{}: the query would scan {} and --max-bytes allows {}; select fewer columns or days, or "
          "allow more",
          service_.where(), format_byte_size(scanned_bytes), format_byte_size(*scanned_bytes_max_));
    }
    announce("{}: the query scans {}", service_.where(), format_byte_size(scanned_bytes));
    return {};
  }

  Service service_;
  Address address_;
  std::optional<uint64_t> scanned_bytes_max_;
};

}  // namespace

Status check_options(const Options& options) {
  if (options.endpoint.empty()) return {};
  const auto target = check_url(options.endpoint, "--bigquery-endpoint");
  if (!target) return std::unexpected(target.error());
  return {};
}

Result<std::unique_ptr<DatabaseConnection>> open(const Address& address, const Options& options,
                                                 MemoryBudget& budget) {
  TW_ASSIGN(Endpoint endpoint, Endpoint::find(options.endpoint, address.text()));
  TW_ASSIGN(Service service, Service::open(std::move(endpoint), address.text(), budget));
  return std::make_unique<Connection>(std::move(service), address, options.scanned_bytes_max);
}

}  // namespace tapeworks::bigquery
