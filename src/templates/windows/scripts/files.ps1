# Folders that are shared.

$wellKnown = @{
    'Everyone' = 'S-1-1-0'; 'Authenticated Users' = 'S-1-5-11'
    'Users' = 'S-1-5-32-545'; 'Administrators' = 'S-1-5-32-544'
}

# Groups that every Windows has are called otherwise in other languages.
function Get-AccountName([string] $Name) {
    if (-not $wellKnown.ContainsKey($Name)) { return $Name }
    $sid = New-Object System.Security.Principal.SecurityIdentifier($wellKnown[$Name])
    return $sid.Translate([System.Security.Principal.NTAccount]).Value
}

function Get-Accounts($Share, [string] $Kind) {
    return @($Share.SelectNodes($Kind) | ForEach-Object { Get-AccountName $_.InnerText })
}

function Grant-Folder([string] $Folder, [string[]] $Accounts, [string] $Rights) {
    $acl = Get-Acl -Path $Folder
    foreach ($account in $Accounts) {
        $rule = New-Object System.Security.AccessControl.FileSystemAccessRule($account, $Rights, 'ContainerInherit, ObjectInherit', 'None', 'Allow')
        $acl.AddAccessRule($rule)
    }
    Set-Acl -Path $Folder -AclObject $acl
}

function New-Share([string] $Name, [string] $Folder, [string[]] $Change, [string[]] $Read) {
    if (Get-WmiObject Win32_Share | Where-Object { $_.Name -eq $Name }) {
        Write-Log 'file-server' ($Name + ': is there already')
        return
    }
    if (Get-Command New-SmbShare -ErrorAction SilentlyContinue) {
        $options = @{ Name = $Name; Path = $Folder }
        if ($Change.Count -gt 0) { $options.ChangeAccess = $Change }
        if ($Read.Count -gt 0) { $options.ReadAccess = $Read }
        New-SmbShare @options | Out-Null
        return
    }
    $grants = @($Change | ForEach-Object { '/GRANT:' + $_ + ',CHANGE' }) + @($Read | ForEach-Object { '/GRANT:' + $_ + ',READ' })
    Invoke-Program 'file-server' 'net.exe' (@('share', ($Name + '=' + $Folder)) + $grants) | Out-Null
}

function Step-FileServer($Settings) {
    $restart = Add-Feature 'file-server' @('FS-FileServer')
    foreach ($share in $Settings.SelectNodes('roles/file-server/share')) {
        $name = Get-Text $share 'name'
        $folder = Get-Text $share 'folder'
        Write-Log 'file-server' ($name + ': ' + $folder)
        [System.IO.Directory]::CreateDirectory($folder) | Out-Null
        $change = @(Get-Accounts $share 'change')
        $read = @(Get-Accounts $share 'read')
        if ($change.Count -gt 0) { Grant-Folder $folder $change 'Modify' }
        if ($read.Count -gt 0) { Grant-Folder $folder $read 'ReadAndExecute' }
        New-Share $name $folder $change $read
    }
    if ($restart) { return 'restart' }
    return 'done'
}
