#include "pipeline/database_address.h"

#include <cstdlib>

#include <gtest/gtest.h>

#include "pipeline/price_test_support.h"

namespace tapeworks {
namespace {

Error error_of(const std::string& source) {
  const auto address = DatabaseAddress::parse(source);
  EXPECT_FALSE(address) << source;
  return address ? Error{ErrorKind::kInternal, ""} : address.error();
}

std::string hidden(const DatabaseAddress& address, const std::string& message) {
  return public_driver_message(message, address.options.secrets);
}

TEST(DatabaseAddressTest, OptionsGoWhereTheirPrefixSays) {
  const auto address = DatabaseAddress::parse(
      "adbc:postgresql?uri=postgresql://me@host/db?sslmode=require&connection.adbc.x=1&"
      "statement.size=2&entrypoint=init&query=SELECT 1 %2B 1 WHERE a LIKE 'b%25' %26 c");
  ASSERT_TRUE(address) << message_of(address);
  EXPECT_EQ(address->options.driver, "postgresql");
  EXPECT_EQ(address->options.entrypoint, "init");
  EXPECT_EQ(address->query, "SELECT 1 + 1 WHERE a LIKE 'b%' & c");
  const DatabaseOptions::List database{{"uri", "postgresql://me@host/db?sslmode=require"}};
  EXPECT_EQ(address->options.database, database);
  EXPECT_EQ(address->options.connection, (DatabaseOptions::List{{"adbc.x", "1"}}));
  EXPECT_EQ(address->options.statement, (DatabaseOptions::List{{"size", "2"}}));
}

TEST(DatabaseAddressTest, ACredentialThatIsWrittenOutIsRefusedAndNotRepeated) {
  for (const std::string options :
       {"uri=postgresql://me:hunter2@host/db", "uri=postgresql://me:hun/hunter2@host/db",
        "uri=postgresql://host/db?password=hunter2", "uri=host=a password=hunter2",
        "uri=postgresql://me:${TW_PASSWORD}hunter2@host/db", "password=hunter2",
        "adbc.snowflake.sql.client_option.auth_token=hunter2", "uri=host=a%20PassWord=hunter2",
        "uri=md:?motherduck_token=hunter2"}) {
    const Error error = error_of("adbc:x?table=t&" + options);
    EXPECT_EQ(error.kind, ErrorKind::kInvalidArgument);
    EXPECT_PRED2(contains, error.message, "holds a credential") << options;
    EXPECT_EQ(error.message.find("hunter2"), std::string::npos) << error.message;
  }
}

TEST(DatabaseAddressTest, AVariableIsEncodedInsideAUrlAndTakenAsItIsAlone) {
  setenv("TW_PASSWORD", "a@b/c d", 1);
  const auto address = DatabaseAddress::parse(
      "adbc:postgresql?table=t&uri=postgresql://me:${TW_PASSWORD}@host/db&password=${TW_PASSWORD}");
  ASSERT_TRUE(address) << message_of(address);
  EXPECT_EQ(address->options.database[0].second, "postgresql://me:a%40b%2Fc%20d@host/db");
  EXPECT_EQ(address->options.database[1].second, "a@b/c d");
  EXPECT_EQ(hidden(*address, "no 'a@b/c d' and a%40b%2Fc%20d\nmore"), "no '***' and ***");
}

TEST(DatabaseAddressTest, PiecesOfAPasswordInAVariableAreHidden) {
  setenv("TW_URL", "postgresql://me:first@second/third@host/db", 1);
  const auto address = DatabaseAddress::parse("adbc:postgresql?table=t&uri=${TW_URL}");
  ASSERT_TRUE(address) << message_of(address);
  EXPECT_EQ(hidden(*address, "no host second, or third@host"), "no host ***, or ***@host");
}

TEST(DatabaseAddressTest, AVariableThatIsNotSetIsNamed) {
  unsetenv("TW_NOWHERE");
  EXPECT_PRED2(contains, error_of("adbc:x?table=t&uri=${TW_NOWHERE}").message, "TW_NOWHERE");
  EXPECT_PRED2(contains, error_of("adbc:x?table=t&uri=x://${TW_NOWHERE").message, "without its }");
  EXPECT_PRED2(contains, error_of("adbc:x?table=t&uri=host=${TW_NOWHERE}").message,
               "stands alone or in a URL");
}

TEST(DatabaseAddressTest, WhatIsNoAddressIsAUsageError) {
  for (const std::string source :
       {"adbc:", "adbc:?table=t", "adbc:x", "adbc:x?uri=y", "adbc:x?table=t&query=q",
        "adbc:x?table", "adbc:x?=t", "adbc:x?table=t&table=u", "adbc:x?query=50%",
        "adbc:x?table=t%00", "adbc:x?table=t; DROP TABLE u", "adbc:x?table=a..b",
        "adbc:x?table=\"a", "adbc:x?table=1a"}) {
    EXPECT_EQ(error_of(source).kind, ErrorKind::kInvalidArgument) << source;
  }
}

TEST(DatabaseAddressTest, TablesMayBeQualifiedAndQuoted) {
  for (const std::string table : {"t", "s.t", "a.\"B c\".d", "`p-1.d.t`", "_x$1"}) {
    const auto address = DatabaseAddress::parse("adbc:x?table=" + table);
    ASSERT_TRUE(address) << message_of(address);
    EXPECT_EQ(address->table, table);
    EXPECT_EQ(database_name("adbc:x?table=" + table), "adbc:x (table " + table + ")");
  }
  EXPECT_EQ(database_name("adbc:x?uri=secret&query=SELECT"), "adbc:x");
}

TEST(DatabaseAddressTest, NamesAreQuotedAsTheDatabaseDoes) {
  EXPECT_EQ(quoted_name("a\"b", DatabaseAddress::parse("adbc:x?table=t")->quote()), "\"a\"\"b\"");
  EXPECT_EQ(quoted_name("a", DatabaseAddress::parse("adbc:bigquery?table=t")->quote()), "`a`");
}

TEST(DatabaseAddressTest, SqliteIsOpenedForReadingOnly) {
  const auto uri = [](const std::string& source) {
    return DatabaseAddress::parse(source)->options.database[0].second;
  };
  EXPECT_EQ(uri("adbc:sqlite?table=t&uri=a%3Fb.db"), "file:a%3Fb.db?mode=ro");
  EXPECT_EQ(uri("adbc:sqlite?table=t&uri=file:a.db"), "file:a.db");
}

}  // namespace
}  // namespace tapeworks
