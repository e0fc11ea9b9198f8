// What of http_server.h needs no socket.
#include <algorithm>

#include "base/lower_case.h"
#include "recorder/net/http_server.h"

namespace tapeworks::net {

std::string_view HttpRequest::header(std::string_view name) const {
  const std::string wanted = lower_case(name);
  const auto found = std::ranges::find_if(
      headers, [&](const Header& each) { return lower_case(each.name) == wanted; });
  return found == headers.end() ? std::string_view() : std::string_view(found->value);
}

UpgradeDecision ServerHandler::on_upgrade(const HttpRequest&) {
  UpgradeDecision decision;
  decision.refusal = {404, "no WebSocket here\n", "text/plain"};
  return decision;
}
void ServerHandler::on_open(ServerConnection&, const HttpRequest&) {}
void ServerHandler::on_frame(ServerConnection&, const ReceivedFrame&) {}
void ServerHandler::on_ping(ServerConnection&, std::string_view, ClockReading) {}
void ServerHandler::on_pong(ServerConnection&, std::string_view, ClockReading) {}
void ServerHandler::on_sent(ServerConnection&, uint64_t, ClockReading) {}
void ServerHandler::on_closed(ServerConnection&, const CloseReport&) {}

}  // namespace tapeworks::net
