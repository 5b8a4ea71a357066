#!/bin/sh
# Goes on with the reviewed plan of a project, does what can be done now, and leaves: for cron.
#
#   crontab -e
#   17 * * * *  /home/alice/bin/s3plan-apply.sh /home/alice/retire-buckets
#
# Give the plan's name as well where the project has several plans. Cron mails what is printed here: what
# waits, and for whom. Deletions still wait for `s3plan approve`, which this never does by itself.
# A run of an hour ago that is still at work is left alone (exit code 6).

set -u
project=${1:?usage: s3plan-apply.sh PROJECT [PLAN]}
shift

s3plan -C "$project" -q apply --yes --no-wait "$@"
code=$?

case $code in
0 | 6) exit 0 ;;
3) ;; # it waits for a thaw, an approval or a login, as told below
*) exit $code ;;
esac

s3plan -C "$project" status
