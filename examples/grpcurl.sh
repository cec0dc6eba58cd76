#!/bin/sh
# One line for each kind of call, with nothing but grpcurl: it gets the engine's services by reflection.
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
# A page of the cameras of Shijiazhuang with a fault, without their verdicts; the reply has the token of the next page.
call CameraService/ListCameras '{"filter": {"region_prefix": "1301", "state": "VERDICT_STATE_FAULT"}, "page_size": 50,
  "order_by": "region", "read_mask": "name,displayName,region"}'
# The worst first; a list has the basic view of each verdict, with VIEW_FULL everything.
call CameraService/ListCameras '{"filter": {"severity_min": "FAULT_SEVERITY_IMPAIRED"}, "order_by": "severity desc"}'
# Cameras by county, state, severity and kind of fault: a map in one call.
call CameraService/CountCameras '{"filter": {"region_prefix": "13"}, "level": "REGION_LEVEL_COUNTY"}'
call CameraService/GetCamera "{\"name\": \"$camera\"}"
# Changes only the name; request_id makes a retry safe.
call CameraService/UpdateCamera "{\"camera\": {\"name\": \"$camera\", \"display_name\": \"烹饪间\"},
  \"update_mask\": \"displayName\", \"request_id\": \"rename-1\"}"
# One message for each camera, as soon as its verdict is stored.
call PatrolService/CheckNow "{\"cameras\": [\"$camera\"]}"
call PatrolService/ListVerdicts "{\"parent\": \"$camera\", \"page_size\": 5}"
# A small JPEG of the latest picture; with its etag as if_none_match it comes again only when there is another.
call PatrolService/GetThumbnail "{\"camera\": \"$camera\", \"side_px_max\": 320}" || true
call PatrolService/BatchGetThumbnails "{\"requests\": [{\"camera\": \"$camera\"}]}"
call CanteenService/ListCanteens '{"filter": {"region_prefix": "1301"}, "page_size": 5}'
# The open findings whose deadline is nearest; then all counts of a dashboard in one call.
call FindingService/ListFindings '{"filter": {"region_prefix": "1301", "open_only": true}, "order_by": "deadline_time"}'
call FindingService/SummarizeFindings '{"filter": {"region_prefix": "1301", "open_only": true},
  "group_by": ["county,severity", "state", "kind"]}'
# A result a row: the second is not found, the first is acknowledged all the same.
call FindingService/BatchAcknowledgeFindings '{"targets": [{"name": "findings/1"}, {"name": "findings/987654"}],
  "why": "seen", "request_id": "round-1"}'
call SchedulerService/GetCameraPlan "{\"camera\": \"$camera\"}"
call SchedulerService/PausePatrol "{\"scope\": {\"camera\": \"$camera\"}, \"reason\": \"lens cleaned\"}"
call SchedulerService/ResumePatrol "{\"scope\": {\"camera\": \"$camera\"}}"
# Errors name the fields that are wrong: field violations of google.rpc.BadRequest.
call PatrolService/GetVerdict '{"name": "nonsense"}' || true
# Verdicts of a region as they come; with a resume_token from where an earlier watch stopped. Ctrl-C ends it.
call PatrolService/WatchVerdicts '{"filter": {"region_prefix": "1301", "changes_only": true}, "with_current": true}'
