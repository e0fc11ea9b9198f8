#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/program.h"

namespace tapeworks {
namespace {

struct Ran {
  int code;
  std::string out;
  std::string err;
};

Ran run(const std::vector<std::string>& arguments) {
  std::vector<const char*> argv{"tapeworks"};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int code = run_program(static_cast<int>(argv.size()), argv.data());
  return {code, testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
}

TEST(Help, EveryCommandExplainsItselfOnStdout) {
  for (const CommandEntry& entry : command_list()) {
    const Ran ran = run({entry.name, "--help"});
    EXPECT_EQ(ran.code, 0) << entry.name;
    EXPECT_NE(ran.out.find(entry.summary), std::string::npos) << ran.out;
    EXPECT_NE(ran.out.find(std::string("tapeworks ") + entry.name), std::string::npos) << ran.out;
    EXPECT_NE(ran.out.find("--format"), std::string::npos) << entry.name;
    EXPECT_EQ(ran.err, "") << entry.name;
  }
}

TEST(Help, WithoutCommandNamesAllCommands) {
  const Ran ran = run({});
  EXPECT_EQ(ran.code, 0);
  for (const CommandEntry& entry : command_list()) {
    EXPECT_NE(ran.out.find(entry.name), std::string::npos) << entry.name;
  }
  EXPECT_EQ(run({"--help"}).out, ran.out);
}

TEST(Help, CommandsAreListedByName) {
  const auto commands = command_list();
  for (size_t i = 1; i < commands.size(); ++i) {
    EXPECT_LT(std::string(commands[i - 1].name), commands[i].name);
  }
}

TEST(Usage, EveryCommandRefusesAnUnknownOptionWithOneSentence) {
  for (const CommandEntry& entry : command_list()) {
    const Ran ran = run({entry.name, "--no-such-option"});
    EXPECT_EQ(ran.code, 2) << entry.name;
    EXPECT_EQ(ran.out, "") << entry.name;
    EXPECT_TRUE(ran.err.starts_with(std::string("tapeworks ") + entry.name + ": ")) << ran.err;
    EXPECT_EQ(ran.err.find('\n'), ran.err.size() - 1) << ran.err;
  }
}

TEST(Usage, UnknownCommandNamesTheNearest) {
  const Ran ran = run({"rankin", "--top", "3"});
  EXPECT_EQ(ran.code, 2);
  EXPECT_EQ(ran.err,
            "tapeworks: unknown command 'rankin'; did you mean ranking? (see tapeworks --help)\n");
}

TEST(Usage, UnknownOptionNamesTheNearest) {
  EXPECT_EQ(run({"ranking", "--fromat", "csv"}).err,
            "tapeworks ranking: unknown option '--fromat'; did you mean --format? (see tapeworks "
            "ranking --help)\n");
}

TEST(Usage, WrongValuesAreRefusedBeforeAnythingIsOpened) {
  const std::vector<std::vector<std::string>> wrong{
      {"ranking", "--top", "0"},
      {"ranking", "--format", "xml"},
      {"ranking", "--memory", "100"},
      {"ranking", "--memory", "191MiB"},
      {"ranking", "--threads", "0"},
      {"ranking", "--threads", "1025"},
      {"ranking", "--temp-dir", "/no/such/folder"},
      {"rolling"},
      {"rolling", "--years", "0"},
      {"rolling", "--years", "1", "--end", "2023-02-30"},
      {"query"},
      {"symbol", "2330", "--from", "yesterday"},
      {"symbol", "2330", "--from", "2023-02-01", "--to", "2023-01-31"},
      {"ranking", "--data", "/no/such/folder"},
      {"wal"},
      {"wal", "inspect"},
      {"wal", "mend", "."},
      {"wal", "inspect", "/no/such/folder"},
      {"wal", "verify", ".", "--records"},
      {"wal", "inspect", ".", "--from", "3"},
      {"wal", "inspect", ".", "--records", "--from", "3", "--to", "2"},
      {"wal", "inspect", ".", "--records", "--limit", "0"},
  };
  for (const auto& arguments : wrong) {
    const Ran ran = run(arguments);
    EXPECT_EQ(ran.code, 2) << arguments[0] << ": " << ran.err;
    EXPECT_EQ(ran.out, "");
    EXPECT_NE(ran.err, "");
  }
}

TEST(Usage, CommonOptionsStandBeforeAndAfterTheCommand) {
  // Both reach the command, which then does not find its data directory.
  EXPECT_EQ(run({"--format", "csv", "ranking", "--data", "/no/such"}).code, 2);
  EXPECT_EQ(run({"ranking", "--data", "/no/such", "--format", "csv"}).err.find("--format"),
            std::string::npos);
}

TEST(Version, NamesArrowAndSimdLevelInBothForms) {
  const Ran text = run({"--version"});
  EXPECT_EQ(text.code, 0);
  EXPECT_TRUE(text.out.starts_with("tapeworks ")) << text.out;
  const auto json = nlohmann::json::parse(run({"--version", "--json"}).out);
  for (const char* name : {"version", "commit", "arrow_version", "simd_level"}) {
    EXPECT_TRUE(json.contains(name) && !json[name].get<std::string>().empty()) << name;
  }
}

TEST(Stats, IsOneJsonLineAtTheEndOfStandardError) {
  const Ran ran = run({"ranking", "--data", "/no/such", "--stats"});
  EXPECT_EQ(ran.code, 2);
  const size_t line = ran.err.rfind('\n', ran.err.size() - 2) + 1;
  const auto stats = nlohmann::json::parse(ran.err.substr(line));
  for (const char* name :
       {"rows", "rows_per_second", "wall_seconds", "cpu_seconds", "peak_memory_bytes", "phases"}) {
    EXPECT_TRUE(stats.contains(name)) << name;
  }
}

}  // namespace
}  // namespace tapeworks
