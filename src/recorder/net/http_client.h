#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "recorder/net/connect_options.h"
#include "recorder/net/event_loop.h"

namespace tapeworks::net {

struct HttpQuery {
  std::string method = "GET";  ///< GET or POST
  std::string content;
  std::string content_type = "application/json";  ///< of the content, if there is any
};

/// Whatever the server answered, errors of its own included.
struct HttpAnswer {
  int status = 0;
  std::vector<Header> headers;
  std::string body;
};

/// One request on a connection of its own. For the few that the recorder makes; redirects are not
/// followed.
///
/// Ownership: refers to the loop. Destruction drops the request, and nothing is called back.
/// Failure: kIo with a sentence when there is no answer; TLS as with WebSocketClient. An answer
/// whose body is longer than `body_bytes_max` is a failure. Threads: that of the loop.
class HttpCall {
 public:
  using Callback = std::function<void(Result<HttpAnswer>)>;

  HttpCall(EventLoop& loop, ConnectOptions options, HttpQuery query, size_t body_bytes_max,
           Callback callback);
  ~HttpCall();

 private:
  class Session;
  std::shared_ptr<Session> session_;
};

}  // namespace tapeworks::net
