-- What became due in one moment, as a batch does, is read in its order without sorting all of it (HK-12).
create index webhook_deliveries_order on webhook_deliveries (webhook_id, next_attempt_at, position)
 where state = 'pending';
drop index webhook_deliveries_due;
