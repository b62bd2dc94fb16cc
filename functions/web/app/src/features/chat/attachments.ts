// The files of a draft. Files that the service would refuse are refused here, with the limit.
import { computed, ref } from 'vue'
import { useI18n } from 'vue-i18n'
import { readableSize, visibleName } from '@/composables/file_name'
import { useDrafts } from '@/stores/drafts'
import { useSession } from '@/stores/session'

/** The limit if the service has sent none. */
const SIZE_MAX = 20_000_000

export function useAttachments(room: string) {
  const { t, locale } = useI18n()
  const drafts = useDrafts()
  const session = useSession()
  const refusals = ref<readonly string[]>([])
  const files = computed(() => drafts.get(room).files)

  function refusalOf(file: File): string | null {
    const most = session.config?.max_upload_bytes ?? SIZE_MAX
    const name = visibleName(file.name)
    if (file.size === 0) return t('composer.emptyFile', { name })
    return file.size > most ? t('composer.largeFile', { name, max: readableSize(most, locale.value) }) : null
  }

  /** Adds files to the draft. */
  function attach(added: readonly File[]): void {
    const judged = added.map((file) => ({ file, refusal: refusalOf(file) }))
    refusals.value = judged.flatMap(({ refusal }) => refusal ?? [])
    const accepted = judged.filter(({ refusal }) => refusal === null).map(({ file }) => file)
    if (accepted.length > 0) drafts.addFiles(room, accepted)
  }

  return { files, refusals, attach, remove: (id: string) => drafts.removeFile(room, id) }
}
