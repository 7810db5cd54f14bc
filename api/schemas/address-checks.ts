import Type from 'typebox';
import { managementFailures as failures, moment } from './replies.ts';

export const createCheckSchema = {
  response: { 202: Type.Object({ requested_at: moment }), ...failures },
};
