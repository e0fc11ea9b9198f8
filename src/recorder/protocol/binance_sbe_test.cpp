#include <boost/property_tree/ptree.hpp>
#include <boost/property_tree/xml_parser.hpp>
#include <map>

#include <gtest/gtest.h>

#include "base/random.h"
#include "recorder/protocol/corpus_test_support.h"
#include "recorder/protocol/sbe_schema_internal.h"

namespace tapeworks::recorder {
namespace {

const std::filesystem::path kFolder =
    std::filesystem::path(TAPEWORKS_TEST_DATA) / "exchanges" / "binance_sbe";

std::string bytes_of_hex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

std::vector<Json> encoded_frames() {
  std::vector<Json> frames;
  for (const std::string& line : lines_of(kFolder / "encoded_frames.jsonl")) {
    frames.push_back(Json::parse(line));
  }
  return frames;
}

Status decode(std::string_view payload, DecodedFrame& decoded) {
  return decode_frame(Venue::kBinanceSpotSbe,
                      {.payload = payload, .opcode = Opcode::kBinary, .receive_time_ns = {}}, {},
                      decoded);
}

TEST(BinanceSbe, DecodesFramesBuiltFromTheSchema) {
  DecodedFrame decoded;
  const auto frames = encoded_frames();
  EXPECT_EQ(frames.size(), 11u);
  for (const Json& frame : frames) {
    const std::string payload = bytes_of_hex(frame["hex"].get<std::string>());
    const auto status = decode(payload, decoded);
    ASSERT_TRUE(status) << frame["name"] << ": " << status.error().message;
    ASSERT_EQ(decoded.rows().size(), frame["rows"].size()) << frame["name"];
    for (size_t i = 0; i < decoded.rows().size(); ++i) {
      // Compared without regard to the order of columns.
      EXPECT_EQ(nlohmann::json(columns_of(decoded.rows()[i])), nlohmann::json(frame["rows"][i]))
          << frame["name"];
    }
  }
}

TEST(BinanceSbe, AFrameCutShortOrTooLongIsRefused) {
  DecodedFrame decoded;
  for (const Json& frame : encoded_frames()) {
    const std::string payload = bytes_of_hex(frame["hex"].get<std::string>());
    for (size_t bytes = 0; bytes < payload.size(); ++bytes) {
      const std::string cut(payload, 0, bytes);
      EXPECT_FALSE(decode(cut, decoded)) << frame["name"] << " of " << bytes << " bytes";
      EXPECT_TRUE(decoded.rows().empty());
    }
    const bool later_version = payload[6] != 0;
    EXPECT_EQ(decode(payload + "x", decoded).has_value(), later_version) << frame["name"];
  }
}

TEST(BinanceSbe, NoFlippedByteReadsPastTheFrame) {
  constexpr uint64_t kSeed = 20261121;
  DecodedFrame decoded;
  uint64_t index = 0;
  for (const Json& frame : encoded_frames()) {
    const std::string payload = bytes_of_hex(frame["hex"].get<std::string>());
    for (size_t at = 0; at < payload.size(); ++at) {
      for (int flip = 0; flip < 8; ++flip, ++index) {
        std::string flipped = payload;
        flipped[at] = static_cast<char>(random_bits(kSeed, index));
        EXPECT_TRUE(decode(flipped, decoded) || decoded.rows().empty());
      }
    }
  }
}

TEST(BinanceSbe, RefusesWhatItWouldMisread) {
  DecodedFrame decoded;
  const std::string book = bytes_of_hex(encoded_frames()[5]["hex"].get<std::string>());
  const auto with = [&](size_t at, std::string_view bytes) {
    std::string changed = book;
    changed.replace(at, bytes.size(), bytes);
    return changed;
  };
  ASSERT_TRUE(decode(book, decoded));
  EXPECT_FALSE(decode(with(4, std::string_view("\3\0", 2)), decoded));    // another schema
  EXPECT_FALSE(decode(with(0, std::string_view("\x31\0", 2)), decoded));  // a block too short
  EXPECT_FALSE(decode(with(59, "\xff"), decoded));                        // no UTF-8
  EXPECT_FALSE(decode(with(8, std::string_view("\0\0\0\0\0\0\0\0", 8)), decoded));  // 1970
  ASSERT_TRUE(decode(with(2, "\x20"), decoded));  // a template of the future is no fault
  EXPECT_EQ(decoded.ignored_kind, "other_stream");
}

TEST(BinanceSbe, TextFramesAreControlFrames) {
  DecodedFrame decoded;
  const auto decode_text = [&](std::string_view text) {
    return decode_frame(Venue::kBinanceSpotSbe, {.payload = text, .receive_time_ns = {}}, {},
                        decoded);
  };
  ASSERT_TRUE(decode_text(R"({"result":null,"id":1})"));
  EXPECT_EQ(decoded.kind, FrameKind::kAck);
  ASSERT_TRUE(decode_text(R"({"e":"serverShutdown","E":1770123456789})"));
  EXPECT_EQ(decoded.kind, FrameKind::kShutdown);
  EXPECT_FALSE(decode_text(R"({"e":"trade","E":1770123456789})"));
}

// --- the tables against the schema file ---

using Tree = boost::property_tree::ptree;

std::string attribute(const Tree& element, const std::string& name, std::string otherwise = "") {
  return element.get("<xmlattr>." + name, std::move(otherwise));
}

/// name:bytes of every field of a message or group, as the file has them.
std::vector<std::string> fields_in_file(const Tree& element,
                                        const std::map<std::string, size_t>& type_bytes) {
  std::vector<std::string> fields;
  for (const auto& [tag, child] : element) {
    if (tag != "field") continue;
    const bool constant = attribute(child, "presence") == "constant";
    const size_t bytes = constant ? 0 : type_bytes.at(attribute(child, "type"));
    fields.push_back(fmt::format("{}:{}", attribute(child, "name"), bytes));
  }
  return fields;
}

std::vector<std::string> fields_in_table(std::span<const SbeField> table) {
  std::vector<std::string> fields;
  for (const SbeField& field : table) {
    fields.push_back(fmt::format("{}:{}", field.name, bytes_of(field.type)));
  }
  return fields;
}

TEST(BinanceSbe, TheTablesAreTheSchemaFile) {
  Tree file;
  boost::property_tree::read_xml((kFolder / "stream_1_0.xml").string(), file);
  const Tree& schema = file.get_child("sbe:messageSchema");
  EXPECT_EQ(attribute(schema, "id"), std::to_string(kSbeSchemaId));
  EXPECT_EQ(attribute(schema, "version"), std::to_string(kSbeSchemaVersion));
  EXPECT_EQ(attribute(schema, "byteOrder"), "littleEndian");

  const std::map<std::string, size_t> primitive_bytes{
      {"int64", 8}, {"uint32", 4}, {"uint16", 2}, {"uint8", 1}, {"int8", 1}};
  std::map<std::string, size_t> type_bytes;
  std::map<std::string, size_t> count_bytes;
  size_t header_bytes = 0;
  for (const auto& [tag, type] : schema.get_child("types")) {
    const std::string name = attribute(type, "name");
    if (tag == "type") type_bytes[name] = primitive_bytes.at(attribute(type, "primitiveType"));
    if (tag == "enum") type_bytes[name] = primitive_bytes.at(attribute(type, "encodingType"));
    for (const auto& [part_tag, part] : type) {
      if (tag != "composite" || part_tag != "type") continue;
      const size_t bytes = primitive_bytes.at(attribute(part, "primitiveType"));
      if (attribute(part, "name") == "numInGroup") count_bytes[name] = bytes;
      if (name == "messageHeader") header_bytes += bytes;
    }
  }
  EXPECT_EQ(header_bytes, kSbeHeaderBytes);

  size_t messages = 0;
  for (const auto& [tag, message] : schema) {
    if (tag != "sbe:message") continue;
    ASSERT_LT(messages, kSbeMessages.size());
    const SbeMessage& table = kSbeMessages[messages++];
    EXPECT_EQ(attribute(message, "name"), table.name);
    EXPECT_EQ(attribute(message, "id"), std::to_string(table.template_id));
    EXPECT_EQ(fields_in_file(message, type_bytes), fields_in_table(table.fields)) << table.name;
    size_t groups = 0;
    for (const auto& [child_tag, child] : message) {
      if (child_tag != "group") continue;
      ASSERT_LT(groups, table.groups.size()) << table.name;
      const SbeGroup& group = table.groups[groups++];
      EXPECT_EQ(attribute(child, "name"), group.name);
      EXPECT_EQ(count_bytes.at(attribute(child, "dimensionType", "groupSizeEncoding")),
                group.count_bytes);
      EXPECT_EQ(fields_in_file(child, type_bytes), fields_in_table(group.fields)) << group.name;
    }
    EXPECT_EQ(groups, table.groups.size()) << table.name;
    EXPECT_EQ(message.get("data.<xmlattr>.type", ""), "varString8") << table.name;
  }
  EXPECT_EQ(messages, kSbeMessages.size());
}

}  // namespace
}  // namespace tapeworks::recorder
