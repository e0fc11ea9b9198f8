#include "storage/object_address.h"

#include <gtest/gtest.h>

namespace tapeworks {
namespace {

std::string message_of(const char* text) {
  const auto address = ObjectAddress::parse(text);
  if (address) return "no error";
  EXPECT_EQ(address.error().kind, ErrorKind::kInvalidArgument);
  return address.error().message;
}

TEST(ObjectAddress, HasBucketKeyAndOptions) {
  const auto address =
      ObjectAddress::parse("s3://market/a/b.parquet?endpoint_override=127.0.0.1%3A90&scheme=http");
  ASSERT_TRUE(address);
  EXPECT_EQ(address->bucket, "market");
  EXPECT_EQ(address->key, "a/b.parquet");
  EXPECT_EQ(address->options.at("endpoint_override"), "127.0.0.1:90");
  EXPECT_EQ(address->options.at("scheme"), "http");
  EXPECT_EQ(address->text(), "s3://market/a/b.parquet");
  EXPECT_EQ(address->store(), "s3://market");
  EXPECT_EQ(address->path(), "market/a/b.parquet");
}

TEST(ObjectAddress, NeedsNoKeyAndDropsSlashesAtItsEnds) {
  for (const char* text : {"gs://market", "gs://market/", "gs://market//"}) {
    const auto address = ObjectAddress::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->text(), "gs://market");
    EXPECT_EQ(address->path(), "market");
  }
  EXPECT_EQ(ObjectAddress::parse("gs://market/a/b/")->key, "a/b");
}

TEST(ObjectAddress, KeepsCredentialsOutOfItsMessages) {
  const std::string message = message_of("s3://AKIA123:verysecret@market/key");
  EXPECT_NE(message.find("environment"), std::string::npos) << message;
  EXPECT_EQ(message.find("AKIA123"), std::string::npos) << message;
  EXPECT_EQ(message.find("verysecret"), std::string::npos) << message;
  EXPECT_EQ(message_of("s3://market/key?secret_key=verysecret").find("verysecret"),
            std::string::npos);
}

TEST(ObjectAddress, RefusesWhatItDoesNotUnderstand) {
  EXPECT_NE(message_of("s3://").find("no bucket"), std::string::npos);
  EXPECT_NE(message_of("s3://mar ket/key").find("no bucket"), std::string::npos);
  EXPECT_NE(message_of("http://market/key").find("no address"), std::string::npos);
  EXPECT_NE(message_of("s3://market/key?retion=x").find("'retion'"), std::string::npos);
  EXPECT_NE(message_of("s3://market/key?region=").find("no value"), std::string::npos);
  EXPECT_NE(message_of("s3://market/key?region=%4").find("no value"), std::string::npos);
  EXPECT_NE(message_of("gs://market/key?region=x").find("'region'"), std::string::npos);
}

TEST(ObjectAddress, IsToldFromPaths) {
  EXPECT_TRUE(is_object_address("s3://a"));
  EXPECT_TRUE(is_object_address("gs://a"));
  EXPECT_FALSE(is_object_address("s3:/a"));
  EXPECT_FALSE(is_object_address("data"));
  EXPECT_FALSE(is_object_address("adbc:sqlite?uri=s3://a"));
}

}  // namespace
}  // namespace tapeworks
