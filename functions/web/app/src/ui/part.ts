// Components that are loaded later. One that cannot be loaded says so in its place.
import { type Component, defineAsyncComponent } from 'vue'
import { later } from '@/platform/parts'
import PartMissing from './PartMissing.vue'

/** Returns a component that is loaded in idle time, or when it is shown. */
export const part = <T extends Component>(load: () => Promise<{ default: T }>): T => onDemand(later(load))

/** Returns a component that is loaded when it is shown. */
export const onDemand = <T extends Component>(load: () => Promise<{ default: T }>): T => defineAsyncComponent({ loader: load, errorComponent: PartMissing }) as T
