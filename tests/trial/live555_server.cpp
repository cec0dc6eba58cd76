// An RTSP server of live555's library for the trial: live555_server PORT NAME=FILE...
// Serves rtsp://127.0.0.1:PORT/NAME; FILE is .264 or .265 and is played to each client from its beginning.
#include <BasicUsageEnvironment.hh>
#include <liveMedia.hh>

#include <cstdio>
#include <cstdlib>
#include <string>

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "live555_server PORT NAME=FILE...\n");
    return 2;
  }
  TaskScheduler* scheduler = BasicTaskScheduler::createNew();
  UsageEnvironment* environment = BasicUsageEnvironment::createNew(*scheduler);
  RTSPServer* server = RTSPServer::createNew(*environment, static_cast<portNumBits>(std::atoi(argv[1])));
  if (server == nullptr) {
    std::fprintf(stderr, "%s\n", environment->getResultMsg());
    return 1;
  }
  for (int index = 2; index < argc; ++index) {
    const std::string argument = argv[index];
    const auto equals = argument.find('=');
    const std::string name = argument.substr(0, equals), file = argument.substr(equals + 1);
    ServerMediaSession* session = ServerMediaSession::createNew(*environment, name.c_str());
    if (file.size() > 4 && file.substr(file.size() - 4) == ".265") {
      session->addSubsession(H265VideoFileServerMediaSubsession::createNew(*environment, file.c_str(), False));
    } else {
      session->addSubsession(H264VideoFileServerMediaSubsession::createNew(*environment, file.c_str(), False));
    }
    server->addServerMediaSession(session);
  }
  std::printf("ready\n");
  std::fflush(stdout);
  environment->taskScheduler().doEventLoop();
  return 0;
}
