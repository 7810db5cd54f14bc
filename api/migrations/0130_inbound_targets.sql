-- Inbound routes to another SMTP server. Its URL is in destination, its password in basic_auth_sealed.
alter table inbound_routes drop constraint inbound_routes_target_check;
alter table inbound_routes add constraint inbound_routes_target_check check (target in ('http', 'smtp', 'store'));
alter table inbound_routes add column requires_tls boolean not null default true;

-- What waits for a route's target, which may change
create index inbound_messages_waiting on inbound_messages (route_id) where state in ('queued', 'retrying');

-- What waited for a route that was deleted before is kept, as of those that are deleted now.
update inbound_messages message set state = 'stored'
  from inbound_routes route
 where route.id = message.route_id and route.deleted_at is not null and message.state in ('queued', 'retrying');
