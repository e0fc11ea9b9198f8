#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "recorder/net/http_server.h"
#include "recorder/simulator/fault_script.h"
#include "recorder/simulator/ledger.h"
#include "recorder/simulator/session.h"

namespace tapeworks::simulator {

/// One client: performs what its session decides, disturbs it as the script says, and writes down
/// what was really sent.
///
/// Ownership: refers to connection and ledger, which outlive it.
class ClientConnection {
 public:
  /// `message_faults` are those of the script that happen at a message of this connection.
  ClientConnection(Venue venue, uint64_t number, net::ServerConnection& connection,
                   std::unique_ptr<VenueSession> session, std::vector<Fault> message_faults,
                   Ledger& ledger);

  VenueSession& session() { return *session_; }
  uint64_t number() const { return number_; }

  /// Sends the event if it was subscribed to. True when it was.
  bool deliver(const MarketEvent& event, uint32_t symbol_index);
  /// `delay_ns` holds the texts back.
  void perform(SessionActions actions, int64_t delay_ns = 0);
  void inject(const Fault& fault);
  /// To be called every few milliseconds.
  void tick();
  /// A message with this tag was handed to the system.
  void on_sent(uint64_t tag);

 private:
  struct DelayedText {
    int64_t due_ns;
    std::string text;
  };
  struct DelayedClose {
    int64_t due_ns;
    Fault fault;
  };

  void inject_message_faults();
  NumberForm take_number_form();
  void disturb(Outgoing message, uint64_t logical_id, NumberForm form);
  void send(Outgoing message, LedgerEntry entry);
  void send_control(std::string text);
  void send_huge(uint64_t byte_count);
  void send_half(const Outgoing& message);
  void close(const Fault& fault);
  void write_fault(const std::string& name, std::string details, uint64_t logical_id = 0,
                   std::string rows = "[]");
  LedgerEntry entry(std::string_view kind, uint64_t logical_id, std::string fault) const;

  Venue venue_;
  uint64_t number_;
  net::ServerConnection& connection_;
  std::unique_ptr<VenueSession> session_;
  std::vector<Fault> message_faults_;
  Ledger& ledger_;

  uint64_t message_count_ = 0;  // market messages, disturbed ones included
  uint64_t frame_count_ = 0;    // frames given to the socket
  std::deque<LedgerEntry> unsent_;

  uint64_t gaps_left_ = 0;
  uint64_t duplicates_left_ = 0;
  uint64_t reorders_left_ = 0;
  uint64_t malformed_left_ = 0;
  uint64_t wrong_left_ = 0;
  uint64_t scientific_left_ = 0;
  uint64_t extra_keys_left_ = 0;
  bool half_next_ = false;
  int64_t silent_until_ns_ = 0;  // monotonic, as all times here
  bool mute_control_ = false;
  std::optional<int64_t> read_again_ns_;
  struct Held {
    Outgoing message;
    uint64_t logical_id;
  };
  std::optional<Held> held_;
  std::deque<DelayedText> delayed_texts_;
  std::optional<DelayedClose> delayed_close_;
};

}  // namespace tapeworks::simulator
