#!/bin/sh
# A line for each kind of call, with nothing but grpcurl: the engine tells it its services by reflection.
#
#   PATROL_TOKEN=kp_... sh examples/grpcurl.sh 127.0.0.1:7702 13010200001320000002
set -eu
server=${1:-127.0.0.1:7702}
camera=cameras/${2:-13010200001320000002}
call() { # service/method, request
  echo "# $1 $2" >&2
  grpcurl -plaintext ${PATROL_TOKEN:+-H "authorization: Bearer $PATROL_TOKEN"} -d "$2" "$server" "patrol.v1.$1"
}

call PatrolService/GetStatus '{}'
# A page of the cameras of Shijiazhuang that are at fault, without their verdicts; the reply has the next page's token.
call CameraService/ListCameras '{"filter": {"region_prefix": "1301", "state": "VERDICT_STATE_FAULT"}, "page_size": 50,
  "order_by": "region", "read_mask": "name,displayName,region"}'
call CameraService/GetCamera "{\"name\": \"$camera\"}"
# Only the name is changed; request_id makes it safe to send again.
call CameraService/UpdateCamera "{\"camera\": {\"name\": \"$camera\", \"display_name\": \"烹饪间\"},
  \"update_mask\": \"displayName\", \"request_id\": \"rename-1\"}"
# One message a camera as soon as its verdict is stored.
call PatrolService/CheckNow "{\"cameras\": [\"$camera\"]}"
call PatrolService/ListVerdicts "{\"parent\": \"$camera\", \"page_size\": 5}"
call SchedulerService/GetCameraPlan "{\"camera\": \"$camera\"}"
call SchedulerService/PausePatrol "{\"scope\": {\"camera\": \"$camera\"}, \"reason\": \"lens cleaned\"}"
call SchedulerService/ResumePatrol "{\"scope\": {\"camera\": \"$camera\"}}"
# What is wrong is named: field violations of google.rpc.BadRequest.
call PatrolService/GetVerdict '{"name": "nonsense"}' || true
# Verdicts of a region as they come, from where an earlier watch stopped if it gave a resume_token; Ctrl-C ends.
call PatrolService/WatchVerdicts '{"filter": {"region_prefix": "1301", "changes_only": true}, "with_current": true}'
